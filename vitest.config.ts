import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/** Tests against a whole running system take seconds to set up; none of them asserts a time. */
const SYSTEM_TEST_TIMEOUT_MS = 120_000;

function systemProject(name: string) {
  return {
    test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout: SYSTEM_TEST_TIMEOUT_MS, hookTimeout: SYSTEM_TEST_TIMEOUT_MS },
  };
}

export default defineConfig({
  test: {
    silent: "passed-only",
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"] } },
      { test: { name: "reference", include: ["test/reference/**/*.test.ts"] } },
      {
        plugins: [cloudflareTest({ wrangler: { configPath: "./test/runtime/wrangler.toml" } })],
        test: { name: "runtime", include: ["test/runtime/**/*.test.ts"], testTimeout: SYSTEM_TEST_TIMEOUT_MS },
      },
      systemProject("clients"),
      systemProject("e2e"),
      systemProject("fault"),
      systemProject("simulation"),
    ],
  },
});
