/**
 * The naive design: KV and the ledger are asked on every request, in parallel, through the doors that the gateway as shipped has, and the newer
 * record counts. No window, and no memory.
 */
import { parseRecord, recordName, type KeyRecord } from "../../../core/record.ts";
import { readKv } from "../../../worker/kv.ts";
import { calls, configuration, gatewayOf, ports, resolve } from "./design.ts";

export default gatewayOf(async (tokenId, cell) => {
  const [published, resolved] = await Promise.all([readRecord(tokenId), resolve(tokenId, cell)]);
  return published && resolved && published.stamp > resolved.stamp ? published : resolved;
});

async function readRecord(tokenId: string): Promise<KeyRecord | undefined> {
  calls.kv += 1;
  const answer = await readKv(ports, recordName(tokenId), configuration.tagKeys);
  return answer.answered ? parseRecord(answer.value, tokenId) : undefined;
}
