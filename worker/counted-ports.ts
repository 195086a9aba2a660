/** The outside with every question counted, and whether it was answered. Towards upstreams nothing is: what they answer is counted with the decision. */
import type { Dependency } from "../core/metrics/counts.ts";
import type { GatewayTally } from "../core/metrics/tally.ts";
import type { SyncAnswer, SyncRequest } from "../core/protocol/messages.ts";
import { regionOfReplica } from "../core/protocol/region.ts";
import type { GatewayPorts } from "./ports.ts";

/** The same ports, counted in a tally. */
export function countedPorts(ports: GatewayPorts, tally: GatewayTally): GatewayPorts {
  const { ledger, limiters } = ports;
  const counted = <Input extends unknown[], Answer>(dependency: Dependency, ask: (...input: Input) => Promise<Answer>) => {
    return async (...input: Input): Promise<Answer> => {
      tally.asked(dependency);
      const answer = await ask(...input);
      tally.answered(dependency);
      return answer;
    };
  };
  const sync = counted("replica", (replica: string, request: SyncRequest) => ledger.sync(replica, request));
  return {
    ...ports,
    readKv: counted("kv", ports.readKv),
    ledger: {
      sync: async (replica, request) => {
        tally.region = regionOfReplica(replica) ?? "unknown";
        const answer = await sync(replica, request).catch((error: unknown) => {
          noteLeases(tally, request, undefined);
          throw error;
        });
        noteLeases(tally, request, answer);
        return answer;
      },
      probe: counted("replica", (replica, cells) => ledger.probe(replica, cells)),
      resolve: counted("cell", (request) => ledger.resolve(request)),
      locate: counted("cell", (request) => ledger.locate(request)),
      resolveRoutes: counted("cell", (request) => ledger.resolveRoutes(request)),
    },
    limiters: { exchange: counted("limiter", (limiter, request) => limiters.exchange(limiter, request)) },
    count: (event) => {
      tally.happened(event);
      ports.count(event);
    },
  };
}

function noteLeases(tally: GatewayTally, { cells }: SyncRequest, answer: SyncAnswer | undefined): void {
  // An answer that cannot be read renews nothing; the one who asked finds that out by itself.
  const synced = Array.isArray(answer?.cells) ? answer.cells : [];
  const renewed = new Set(synced.filter(({ answered }) => answered).map(({ cell }) => cell));
  for (const { cell } of cells) tally.askedForLease(cell, renewed.has(cell));
}
