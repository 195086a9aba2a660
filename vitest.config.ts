import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/** Tests take as long as they take on a busy machine, and those of a whole running system seconds to set up; none of them asserts a time. */
const TEST_TIMEOUT_MS = 120_000;

function systemProject(name: string) {
  return {
    test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout: TEST_TIMEOUT_MS, hookTimeout: TEST_TIMEOUT_MS },
  };
}

export default defineConfig({
  test: {
    silent: "passed-only",
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: TEST_TIMEOUT_MS } },
      { test: { name: "reference", include: ["test/reference/**/*.test.ts"] } },
      {
        plugins: [cloudflareTest({ wrangler: { configPath: "./test/runtime/wrangler.toml" } })],
        test: { name: "runtime", include: ["test/runtime/**/*.test.ts"], testTimeout: TEST_TIMEOUT_MS },
      },
      systemProject("clients"),
      systemProject("e2e"),
      systemProject("fault"),
      systemProject("simulation"),
      systemProject("bench"),
    ],
  },
});
