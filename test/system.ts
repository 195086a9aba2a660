/** A whole running system for tests from outside: real workerd, free loopback ports, state that is gone at the end. */
import { startPlatform, type Platform } from "../local/platform.ts";
import { makeSecrets, type LocalSecrets } from "../local/secrets.ts";
import { firstAdminKey, seed, type Seeded } from "../local/seed.ts";

/** A seeded system: organization Acme, two users, the example routes. */
export interface TestSystem extends Platform, Seeded, AsyncDisposable {
  /** Everything the Workers have logged so far. */
  readonly logLines: readonly string[];
  readonly secrets: LocalSecrets;
}

/** Settings of the control plane with which tests need not wait long for revocations, nor for their turn. */
export const SHORT_LEASES = {
  EDGE_LEASE_MS: "100",
  REPLICA_LEASE_MS: "1000",
  CLOCK_LAG_MS: "5",
  PUSH_TIMEOUT_MS: "500",
  PUSH_RETRY_MS: "20",
  CALLER_REQUESTS_PER_MINUTE: "1000000",
} as const;

/** For tests in which nothing is revoked: a machine that stands still for a moment takes nothing from isolates that they must ask for again. */
export const LONG_LEASES = { EDGE_LEASE_MS: "5000", REPLICA_LEASE_MS: "30000" } as const;

interface TestSystemOptions {
  readonly stateDirectory?: string;
  readonly settings?: Readonly<Record<string, string>>;
}

/** Starts and seeds one, in memory or in a folder, with settings of the control plane that a test wants otherwise. */
export async function startTestSystem({ stateDirectory, settings = {} }: TestSystemOptions = {}): Promise<TestSystem> {
  const secrets = makeSecrets();
  const logLines: string[] = [];
  const platform = await startPlatform({
    ports: { gateway: 0, controlPlane: 0, exampleApi: 0 },
    bindings: {
      gateway: secrets.gateway,
      controlPlane: { ...secrets.controlPlane, ...SHORT_LEASES, ...settings },
    },
    ...(stateDirectory !== undefined && { stateDirectory }),
    log: (line) => logLines.push(line),
  });
  const adminKey = await firstAdminKey(platform.controlPlane, secrets.controlPlane.BOOTSTRAP_SECRET);
  const seeded = await seed(platform.controlPlane, adminKey, platform.exampleApi.origin);
  return { ...platform, ...seeded, logLines, secrets, [Symbol.asyncDispose]: () => platform.stop() };
}
