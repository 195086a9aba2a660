/**
 * SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104), in plain JavaScript and synchronous: on Workers a native digest costs more to
 * set up than this one costs to run, and a forged token must be refused without a turn of the event loop. What takes these
 * takes them as ports.
 */
import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes, type Hash } from "@noble/hashes/utils.js";

/** Short texts in ASCII, as tokens are, need no encoder: calling one costs as much as digesting a token. */
const SHORT_LENGTH = 512;
const ASCII_MAX = 0x7f;
/** Where such a text is turned into bytes, over and over. */
const shortBytes = new Uint8Array(SHORT_LENGTH);
/** As much of it as the last text took: texts of one kind are as long as each other. */
let shortView = shortBytes;

/** Where digests are put: an array made for each took two fifths of the time of an HMAC, and is garbage. */
const digest = new Uint8Array(32);

/** A digest that has begun, and the one that is finished in its stead: made anew each time they would cost as much as the digesting itself. */
interface Begun<Digest> {
  readonly begun: Digest;
  readonly working: Digest;
}

const plain: Begun<ReturnType<typeof sha256.create>> = { begun: sha256.create(), working: sha256.create() };
/** HMACs that have taken in their key, by the key's own array: the keys of an installation are few and never change. */
const keyed = new WeakMap<Uint8Array, Begun<ReturnType<typeof hmac.create>>>();

/** Lower-case hexadecimal SHA-256 of a text in UTF-8. */
export function sha256Hex(text: string): string {
  return bytesToHex(digestOf(plain, text));
}

/** HMAC-SHA-256 over a text in UTF-8. The key's bytes must not be changed afterwards. */
export function hmacSha256(key: Uint8Array, message: string): Uint8Array {
  let prepared = keyed.get(key);
  if (!prepared) keyed.set(key, (prepared = { begun: hmac.create(sha256, key), working: hmac.create(sha256, key) }));
  return digestOf(prepared, message).slice();
}

/** The digest, in bytes that are good until the next call. */
function digestOf<Digest extends Hash<Digest>>({ begun, working }: Begun<Digest>, text: string): Uint8Array {
  // The library's way to set one digest to the state of another; it forgets what it was in.
  begun._cloneInto(working).update(bytesOf(text)).digestInto(digest);
  return digest;
}

/** The text in UTF-8, in bytes that are good until the next call. */
function bytesOf(text: string): Uint8Array {
  if (text.length > SHORT_LENGTH) return utf8ToBytes(text);
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code > ASCII_MAX) return utf8ToBytes(text);
    shortBytes[at] = code;
  }
  if (shortView.length !== text.length) shortView = shortBytes.subarray(0, text.length);
  return shortView;
}
