/** Networks: what is written, what is understood, and who lies in them, against a model that compares bits one by one. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isWithin, networks, parseAddress } from "../../core/network.ts";

/** The model: an address is a family and a text of bits. */
function bitsOf(bytes: readonly number[]): string {
  return bytes.map((byte) => byte.toString(2).padStart(8, "0")).join("");
}

const v4Text = (bytes: readonly number[]) => bytes.join(".");
const v6Text = (bytes: readonly number[]) =>
  Array.from({ length: 8 }, (_, at) => (((bytes[2 * at] ?? 0) << 8) | (bytes[2 * at + 1] ?? 0)).toString(16)).join(":");

/** The bytes with everything beyond the prefix cleared. */
function cleared(bytes: readonly number[], prefix: number): number[] {
  const bits = bitsOf(bytes)
    .slice(0, prefix)
    .padEnd(bytes.length * 8, "0");
  return bytes.map((_, at) => parseInt(bits.slice(8 * at, 8 * at + 8), 2));
}

const bytesOf = (length: number) => fc.array(fc.integer({ min: 0, max: 255 }), { minLength: length, maxLength: length });
/** Two addresses of a family that often share a prefix, and a prefix length. */
const pairOf = (length: number) =>
  fc
    .tuple(bytesOf(length), bytesOf(length), fc.integer({ min: 0, max: length * 8 }), fc.integer({ min: 0, max: length * 8 }))
    .map(([one, other, shared, prefix]) => {
      const bits = bitsOf(one).slice(0, shared) + bitsOf(other).slice(shared);
      return { one, other: one.map((_, at) => parseInt(bits.slice(8 * at, 8 * at + 8), 2)), prefix };
    });
const isMapped = (bytes: readonly number[]) => bitsOf(bytes).startsWith("0".repeat(80) + "1".repeat(16));

function within(address: string, list: readonly string[]): boolean {
  const parsed = parseAddress(address);
  return parsed !== undefined && isWithin(parsed, networks.parse(list));
}

describe("who lies in a network", () => {
  test("is decided by the first bits, as many as the prefix says: IPv4, also written as IPv6", () =>
    fc.assert(
      fc.property(pairOf(4), fc.boolean(), ({ one, other, prefix }, asV6) => {
        const expected = bitsOf(one).slice(0, prefix) === bitsOf(other).slice(0, prefix);
        const client = asV6 ? `::ffff:${v4Text(other)}` : v4Text(other);
        expect(within(client, [`${v4Text(cleared(one, prefix))}/${prefix}`])).toBe(expected);
        expect(within(client, [`::ffff:${v4Text(cleared(one, prefix))}/${prefix + 96}`])).toBe(expected);
      }),
      { numRuns: 2_000 },
    ));

  test("is decided by the first bits: IPv6", () =>
    fc.assert(
      fc.property(
        pairOf(16).filter(({ one, other }) => !isMapped(one) && !isMapped(other)),
        ({ one, other, prefix }) => {
          const expected = bitsOf(one).slice(0, prefix) === bitsOf(other).slice(0, prefix);
          expect(within(v6Text(other), [`${v6Text(cleared(one, prefix))}/${prefix}`])).toBe(expected);
        },
      ),
      { numRuns: 2_000 },
    ));

  test("any one of several is enough", () => {
    expect(within("198.51.100.7", ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"])).toBe(true);
    expect(within("198.51.100.8", ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"])).toBe(false);
  });

  test.each([
    ["192.0.1.255", false],
    ["192.0.2.0", true],
    ["192.0.2.255", true],
    ["192.0.3.0", false],
    ["::ffff:192.0.2.1", true],
    ["::ffff:c000:201", true],
    ["::c000:201", false],
    ["64:ff9b::192.0.2.1", false],
    ["2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", false],
    ["2001:db8::", true],
    ["2001:DB8:ffff:ffff:ffff:ffff:ffff:ffff", true],
    ["2001:db9::", false],
  ])("%s in 192.0.2.0/24 or 2001:db8::/32: %j", (client, expected) =>
    expect(within(client, ["192.0.2.0/24", "2001:db8::/32"])).toBe(expected),
  );

  test("the families are apart", () => {
    expect(within("192.0.2.1", ["::/0"])).toBe(false);
    expect(within("2001:db8::1", ["0.0.0.0/0"])).toBe(false);
    expect(within("192.0.2.1", ["0.0.0.0/0"])).toBe(true);
  });
});

test.each([
  "",
  " ",
  "192.0.2",
  "192.0.2.1.",
  "192.0.2.01",
  "0300.0.2.1",
  "0xc0.0.2.1",
  "3221225985",
  "192.0.2.256",
  "192.0.2.1 ",
  "192.0.2.1, 10.0.0.1",
  "fe80::1%eth0",
  "::ffff:192.0.2.01",
  "1:2:3",
  ":::",
  "2001:db8::g",
  "[2001:db8::1]",
  "192.0.2.1:443",
  "::ffff:0300.0.2.1",
  "::192.0.2.1",
  "1".repeat(46),
])("%j is no address", (text) => expect(parseAddress(text)).toBeUndefined());

describe("what an administrator writes", () => {
  test.each([
    [["192.0.2.1"], ["192.0.2.1/32"]],
    [
      ["2001:0DB8:0:0::/32", "10.0.0.0/8", "10.0.0.0/8"],
      ["10.0.0.0/8", "2001:db8::/32"],
    ],
    [["::ffff:10.0.0.0/104"], ["10.0.0.0/8"]],
    [["2001:db8::1"], ["2001:db8::1/128"]],
  ])("%j is kept as %j", (written, kept) => expect(networks.parse(written)).toEqual(kept));

  test("bits beyond the prefix are a mistake, and the network is told", () =>
    expect(networks.safeParse(["10.1.2.3/8"]).error?.issues[0]?.message).toContain("10.0.0.0/8"));

  test.each([
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/08",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "2001:db8::/129",
    "office",
    "::ffff:10.0.0.0/95",
    "/8",
  ])("%j is refused", (text) => expect(networks.safeParse([text]).success).toBe(false));

  test("no network at all, or more than 32, is refused", () => {
    expect(networks.safeParse([]).success).toBe(false);
    expect(networks.safeParse(Array.from({ length: 33 }, (_, at) => `10.0.${at}.0/24`)).success).toBe(false);
  });
});
