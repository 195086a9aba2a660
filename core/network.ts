/**
 * The networks a key may be used from: CIDR blocks of IPv4 (RFC 4632) and IPv6 (RFC 4291). An IPv4 address written as IPv6
 * (`::ffff:192.0.2.1`) is that IPv4 address, wherever it appears; beyond that the two families never match each other, so `::/0`
 * covers no IPv4 client.
 */
import ipaddr from "ipaddr.js";
import { z } from "zod";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** An address and how many of its leading bits count. */
interface Block {
  readonly address: Address;
  readonly bits: number;
}

/** Most blocks that one key can have. */
const NETWORKS_MAX = 32;
/** The longest text that can be an address: an IPv6 one with an IPv4 one at its end. */
const ADDRESS_LENGTH_MAX = 45;
const FOUR_DECIMALS = /^(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})$/;
/** `::192.0.2.1` (RFC 4291 section 2.5.5.1): the library takes it for the IPv4 address, which `::c000:201` is not. */
const DEPRECATED = /^::\d+\./;
const MAPPED_BITS = 96;

/** One block as an administrator writes it, `192.0.2.0/24` or a single address; canonical on the way out. */
const oneNetwork = z.string().transform((text, context) => {
  const canonical = canonicalNetwork(text);
  if (canonical.ok) return canonical.text;
  context.addIssue({ code: "custom", message: canonical.fault });
  return z.NEVER;
});

/** Networks a key may be used from: 1 to 32. */
export const networks = z
  .array(oneNetwork)
  .min(1, "name a network, or send null for any")
  .max(NETWORKS_MAX, `at most ${NETWORKS_MAX} networks`)
  .transform((list) => [...new Set(list)].toSorted());

/** Whether an address lies in one of the networks. */
export function isWithin(address: Address, allowed: readonly string[]): boolean {
  return blocksOf(allowed).some((block) => covers(block, address));
}

/** Whether each of the networks lies in one of others. What only several of those cover together does not. */
export function areWithin(inner: readonly string[], outer: readonly string[]): boolean {
  const around = blocksOf(outer);
  return blocksOf(inner).every((block) => around.some((wider) => wider.bits <= block.bits && covers(wider, block.address)));
}

/**
 * Reads one address; undefined for anything else. Other spellings (octal, hexadecimal, fewer parts, zones) are read differently by
 * different programs, so they are no address here.
 */
export function parseAddress(text: string): Address | undefined {
  if (text.length > ADDRESS_LENGTH_MAX) return undefined;
  const dotted = text.includes(".") ? text.slice(text.lastIndexOf(":") + 1) : undefined;
  if (dotted === undefined ? !text.includes(":") : !FOUR_DECIMALS.test(dotted)) return undefined;
  return text.includes("%") || DEPRECATED.test(text) || !ipaddr.isValid(text) ? undefined : ipaddr.process(text);
}

function covers({ address: network, bits }: Block, address: Address): boolean {
  if (network instanceof ipaddr.IPv4) return address instanceof ipaddr.IPv4 && address.match(network, bits);
  return address instanceof ipaddr.IPv6 && address.match(network, bits);
}

/** Parsed once for each list in memory. */
const parsed = new WeakMap<readonly string[], readonly Block[]>();

function blocksOf(allowed: readonly string[]): readonly Block[] {
  const known = parsed.get(allowed);
  if (known) return known;
  const blocks = allowed.map(blockOf).filter((block) => block !== undefined);
  parsed.set(allowed, blocks);
  return blocks;
}

function blockOf(text: string): Block | undefined {
  const [addressText = "", bitsText, ...more] = text.split("/");
  const address = parseAddress(addressText);
  if (!address || more.length > 0) return undefined;
  const width = address instanceof ipaddr.IPv4 ? 32 : 128;
  // As written an address may be wider than it is: an IPv4 one in IPv6 form.
  const surplus = width === 32 && addressText.includes(":") ? MAPPED_BITS : 0;
  if (bitsText === undefined) return { address, bits: width };
  if (!/^(?:0|[1-9]\d{0,2})$/.test(bitsText)) return undefined;
  const bits = Number(bitsText) - surplus;
  return bits >= 0 && bits <= width ? { address, bits } : undefined;
}

function canonicalNetwork(text: string): { readonly ok: true; readonly text: string } | { readonly ok: false; readonly fault: string } {
  const block = blockOf(text);
  if (!block) return { ok: false, fault: "must be an IPv4 or IPv6 network like 192.0.2.0/24 or 2001:db8::/32, or an address" };
  const first = firstOf(block);
  const canonical = `${first.toString()}/${block.bits}`;
  if (first.toString() === block.address.toString()) return { ok: true, text: canonical };
  return { ok: false, fault: `has bits set beyond its prefix; the network is ${canonical}` };
}

function firstOf({ address, bits }: Block): Address {
  const bytes = address.toByteArray().map((byte, at) => byte & (0xff << Math.min(8, Math.max(0, 8 * (at + 1) - bits))));
  return ipaddr.fromByteArray(bytes);
}
