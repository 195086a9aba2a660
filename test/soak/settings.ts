/** How long things take in a soak: as shipped in the long one, and all of it quickly in the short one. */
import type { SoakOptions } from "./run.ts";

type Tempo = Pick<SoakOptions, "faults" | "settings" | "sampleEveryMs" | "exercise">;

/**
 * The leases as shipped. Faults last longer than a replica's lease, so that it runs out. The machine that the soak shares with others
 * stops processes for longer than Cloudflare's do: that much is assumed of clocks.
 */
export const LONG: Tempo = {
  faults: { pause: { least: 5_000, most: 15_000 }, fault: { least: 10_000, most: 45_000 } },
  settings: { CLOCK_LAG_MS: "100" },
  sampleEveryMs: 10_000,
  exercise: { keys: 10_000, requests: 200_000 },
};

/** Short leases, and each fault for a moment. */
export const SHORT: Tempo = {
  faults: { pause: { least: 100, most: 400 }, fault: { least: 400, most: 1_400 } },
  settings: { EDGE_LEASE_MS: "400", REPLICA_LEASE_MS: "1000", CLOCK_LAG_MS: "100", PUSH_TIMEOUT_MS: "500", PUSH_RETRY_MS: "50" },
  sampleEveryMs: 500,
  exercise: null,
};
