import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/** Only against hanging for ever: no test asserts a time, and machines may be busy. */
const PATIENT = { testTimeout: 120_000, hookTimeout: 120_000, expect: { poll: { timeout: 60_000 } } } as const;

function projectOf(name: string) {
  return { test: { name, include: [`test/${name}/**/*.test.ts`], ...PATIENT } };
}

export default defineConfig({
  test: {
    silent: "passed-only",
    // Most of them wait for something most of the time: leases that run out, processes that start, receivers that hang.
    maxWorkers: 4,
    projects: [
      projectOf("unit"),
      projectOf("reference"),
      {
        plugins: [cloudflareTest({ wrangler: { configPath: "./test/runtime/wrangler.toml" } })],
        test: { name: "runtime", include: ["test/runtime/**/*.test.ts"], ...PATIENT },
      },
      {
        // Deliveries to a real server on this machine, which only an installation for development makes.
        plugins: [
          cloudflareTest({ wrangler: { configPath: "./test/runtime/wrangler.toml" }, miniflare: { bindings: { WEBHOOK_LOOPBACK: "on" } } }),
        ],
        test: { ...projectOf("webhooks").test, globalSetup: "test/webhooks/receiver-setup.ts" },
      },
      { test: { ...projectOf("sdk").test, globalSetup: "test/sdk/project.ts" } },
      projectOf("clients"),
      projectOf("e2e"),
      projectOf("differential"),
      projectOf("fault"),
      projectOf("simulation"),
      projectOf("bench"),
      projectOf("soak"),
    ],
  },
});
