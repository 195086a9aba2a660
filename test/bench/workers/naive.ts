/** The naive design: KV and the ledger are asked on every request, in parallel. No window, and no memory. */
import { recordName } from "../../../core/record.ts";
import { calls, gatewayOf, ports, resolve } from "./design.ts";

export default gatewayOf(async (tokenId, cell) => {
  calls.kv += 1;
  const [, record] = await Promise.all([ports.readKv(recordName(tokenId)), resolve(tokenId, cell)]);
  return record;
});
