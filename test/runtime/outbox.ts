/** What a cell has yet to publish, and what KV holds of it. */
import { env } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { readPublished } from "../../core/published.ts";
import { recordName } from "../../core/record.ts";
import { hmacSha256 } from "../../core/digest.ts";
import { gatewayConfiguration } from "../../worker/configuration.ts";

const CELLS = 4;

/** Lets one cell publish everything it wants to, without waiting for KV's pace. */
export async function drainOutbox(cell: number): Promise<void> {
  const stub = env.LEDGER.getByName(`cell-${cell}`);
  for (let turn = 0; turn < 50; turn++) {
    const pending = await runInDurableObject(stub, (_, state) => {
      state.storage.sql.exec("UPDATE publications SET due_at_ms = 0 WHERE wanted_seq > published_seq");
      return state.storage.sql.exec("SELECT 1 FROM publications WHERE wanted_seq > published_seq").toArray().length;
    });
    if (pending === 0) return;
    await runDurableObjectAlarm(stub);
  }
  throw new Error(`the outbox of cell ${cell} does not drain`);
}

/** Lets every cell publish. */
export async function drainOutboxes(): Promise<void> {
  for (let cell = 0; cell < CELLS; cell++) await drainOutbox(cell);
}

/** A published value of a KV name, its signature checked; null for none. */
export function readSigned(name: string, text: string | null): unknown {
  return text === null ? null : readPublished(name, text, gatewayConfiguration(env).tagKeys, hmacSha256);
}

/** What KV holds for a token id at this moment, its signature checked; null for nothing. */
export async function publishedRecord(tokenId: string): Promise<unknown> {
  return readSigned(recordName(tokenId), await env.KEYS.get(recordName(tokenId)));
}
