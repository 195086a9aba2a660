/** What most gateways do: a validated key is good for 60 seconds, revoked or not. */
import type { KeyRecord } from "../../../core/record.ts";
import { gatewayOf, resolve } from "./design.ts";

const TTL_MS = 60_000;
const cache = new Map<string, { readonly record: KeyRecord | undefined; readonly untilMs: number }>();

export default gatewayOf(async (tokenId, cell) => {
  const cached = cache.get(tokenId);
  if (cached && Date.now() < cached.untilMs) return cached.record;
  const record = await resolve(tokenId, cell);
  cache.set(tokenId, { record, untilMs: Date.now() + TTL_MS });
  return record;
});
