/** `npm run protocol:explain`: what the lease protocol's settings promise at worst. */
import { controlPlaneConfiguration } from "../control-plane/configuration.ts";
import { ConfigurationError } from "../core/configuration.ts";
import { DEADLINES_MS, worstCaseOf } from "../core/protocol/tunables.ts";
import { FLOORS_KEPT_MAX } from "../core/protocol/floor-window.ts";
import { optionsOrUsage } from "./command-line.ts";
import { settingsOf } from "./platform.ts";
import { makeSecrets } from "./secrets.ts";

function explain(): string {
  const { tunables } = controlPlaneConfiguration({ ...settingsOf("controlPlane"), ...makeSecrets().controlPlane });
  const { edgeLeaseMs, replicaLeaseMs, clockDriftMax, clockLagMs, pushTimeoutMs, pushRetryMs } = tunables;
  const worst = worstCaseOf(tunables);
  return `The lease protocol, as set in control-plane/wrangler.toml

  EDGE_LEASE_MS      ${edgeLeaseMs}   an isolate decides from memory for so long after it began to ask
  REPLICA_LEASE_MS   ${replicaLeaseMs}   a replica answers from memory for so long after it began to ask
  CLOCK_DRIFT_MAX    ${clockDriftMax}   assumed: no clock is faster or slower than the true time by more than this share
  CLOCK_LAG_MS       ${clockLagMs}   assumed: in an event no clock is behind the true time by more
  PUSH_TIMEOUT_MS    ${pushTimeoutMs}   a push that has not been answered by then is repeated, after PUSH_RETRY_MS (${pushRetryMs})

At worst, on the primary's clock

  ${worst.edgeLeaseBoundMs} ms   until every edge lease that could be without an entry has run out
  ${worst.replicaLeaseBoundMs} ms   until the lease of a replica that does not answer has run out
  ${worst.revocationMs} ms   until a revocation returns, plus a round trip to the farthest replica that answers
  ${worst.revocationWithDeadReplicaMs} ms   until a revocation returns when a replica never answers
  0 ms   for which anything revoked is accepted after that

Also fixed

  ${DEADLINES_MS.replica} ms   for a replica to answer an edge, ${DEADLINES_MS.cell} ms for a cell, ${DEADLINES_MS.lease} ms for a cell to grant a lease, ${DEADLINES_MS.kv} ms for KV
  ${FLOORS_KEPT_MAX}   floors kept per cell and party; records from before are fetched from the cell again`;
}

optionsOrUsage(
  "npm run protocol:explain\n\nSays what the settings in control-plane/wrangler.toml promise at worst. It has no options.",
  {},
);
try {
  console.log(explain());
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
