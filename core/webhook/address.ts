/** Which addresses belong to the public internet: everything that IANA's special-purpose registries do not set aside. */

/** First address and prefix length of what is not public (RFC 6890 and its registry). */
const NOT_PUBLIC_V4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
];
/** Azure's metadata and wire server answers at a public address. */
const METADATA_V4: ReadonlySet<string> = new Set(["168.63.129.16"]);

/** Whether a text is the address of a public host. IPv6 counts only from 2000::/3 without what carries an IPv4 address or is documentation. */
export function isPublicAddress(text: string): boolean {
  const v4 = parseIpv4(text);
  if (v4 !== undefined)
    return !METADATA_V4.has(text) && !NOT_PUBLIC_V4.some(([first, length]) => isWithin(v4, parseIpv4(first) ?? 0, length));
  const groups = parseIpv6(text);
  if (!groups) return false;
  const [first = 0, second = 0] = groups;
  const isGlobalUnicast = first >= 0x2000 && first <= 0x3fff;
  const isSpecial =
    (first === 0x2001 && second < 0x0200) || (first === 0x2001 && second === 0x0db8) || first === 0x2002 || first === 0x3fff;
  return isGlobalUnicast && !isSpecial;
}

function isWithin(address: number, first: number, length: number): boolean {
  const size = 2 ** (32 - length);
  return Math.floor(address / size) === Math.floor(first / size);
}

/** Dotted decimal without leading zeroes only, as resolvers write it. */
function parseIpv4(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** Eight groups; an embedded dotted IPv4 part is no public address in any form, so it is not read. */
function parseIpv6(text: string): number[] | undefined {
  const halves = text.toLowerCase().split("::");
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => "0"), ...tail];
  return groups.every((group) => /^[0-9a-f]{1,4}$/.test(group)) ? groups.map((group) => Number.parseInt(group, 16)) : undefined;
}
