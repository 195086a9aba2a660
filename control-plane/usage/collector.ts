/** Where usage comes in: from gateways over RPC, or from a queue between them. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { usageBatchSchema, type UsageBatch, type UsageCollector as UsageCollectorContract } from "../../core/usage/batch.ts";
import { cellName } from "../ledger/cell-name.ts";
import type { UsageStore } from "./store.ts";

/** Bindings that taking usage needs. */
export interface CollectorEnv {
  readonly USAGE_STORE: DurableObjectNamespace<UsageStore>;
  readonly CELLS: string;
}

/** The `UsageCollector` entrypoint: adds to counts and can do nothing else. */
export class UsageCollector extends WorkerEntrypoint<CollectorEnv> implements UsageCollectorContract {
  async record(batches: readonly UsageBatch[]): Promise<void> {
    const outcomes = await recordBatches(this.env, batches);
    if (outcomes.includes("not_kept")) throw new Error("usage could not be kept; send it again");
  }
}

/** Takes messages from the queue; each that could not be kept comes again. */
export async function recordMessages(messages: readonly Message[], env: CollectorEnv): Promise<void> {
  const outcomes = await recordBatches(
    env,
    messages.map(({ body }) => body),
  );
  for (const [at, message] of messages.entries()) {
    if (outcomes[at] === "not_kept") message.retry();
    else message.ack();
  }
}

type Outcome = "kept" | "not_kept" | "unreadable";

/** One call for each cell. What nobody can read is logged and dropped: it would come again for ever. */
async function recordBatches(env: CollectorEnv, texts: readonly unknown[]): Promise<Outcome[]> {
  const batches = texts.map((text) => readBatch(text, Number(env.CELLS)));
  const unreadable = batches.filter((batch) => batch === undefined).length;
  if (unreadable > 0) console.log(JSON.stringify({ event: "usage_unreadable", batches: unreadable }));
  const byCell = Map.groupBy(
    batches.filter((batch) => batch !== undefined),
    ({ cell }) => cell,
  );
  const lost = new Set<number>();
  const keep = async ([cell, ofCell]: readonly [number, readonly UsageBatch[]]) => {
    await env.USAGE_STORE.getByName(cellName(cell)).take(ofCell);
  };
  await Promise.all([...byCell].map((part) => keep(part).catch(() => lost.add(part[0]))));
  return batches.map((batch) => (batch === undefined ? "unreadable" : lost.has(batch.cell) ? "not_kept" : "kept"));
}

function readBatch(value: unknown, cells: number): UsageBatch | undefined {
  const parsed = usageBatchSchema.safeParse(value);
  return parsed.success && parsed.data.cell < cells ? parsed.data : undefined;
}
