/**
 * What stands in KV: JSON under a MAC. Floors make an old copy harmless, the MAC makes a made-up one harmless too: whoever
 * can write the namespace can cause a miss and nothing else. The KV name is part of what is signed, so a value that was
 * moved to another name is no good either.
 *
 *     <tag key id 1><HMAC-SHA-256 in hexadecimal 64><JSON>
 */
import { bytesToHex } from "@noble/hashes/utils.js";
import { equalInConstantTime } from "./constant-time.ts";
import type { HmacSha256, TagKeys } from "./token.ts";

const JSON_AT = 65;

/** The text to publish under `name`. Throws a RangeError when the current tag key is missing. */
export function signPublished(name: string, value: object, keys: TagKeys, hmacSha256: HmacSha256): string {
  const key = keys.byId.get(keys.current);
  if (!key) throw new RangeError("the current tag key is not among the tag keys");
  const json = JSON.stringify(value);
  return keys.current + macOf(name, json, key, hmacSha256) + json;
}

/** The value that was published under `name`; undefined for whatever was not signed for this name by a key that still verifies. Total. */
export function readPublished(name: string, text: string, keys: TagKeys, hmacSha256: HmacSha256): unknown {
  const key = keys.byId.get(text.charAt(0));
  const json = text.slice(JSON_AT);
  if (!key || !equalInConstantTime(text.slice(1, JSON_AT), macOf(name, json, key, hmacSha256))) return undefined;
  return JSON.parse(json);
}

/** Token tags are made with the same keys over one word; the line break keeps the two kinds of message apart. */
function macOf(name: string, json: string, key: Uint8Array, hmacSha256: HmacSha256): string {
  return bytesToHex(hmacSha256(key, `${name}\n${json}`));
}
