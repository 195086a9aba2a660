/**
 * The one way to write a JSON value (RFC 8785, JCS): members in the order of their names' UTF-16 code units, no white space, numbers
 * and texts as ECMAScript writes them. What has been read and written again by another program still has the same form.
 */

/** The canonical form of a JSON value. Members that are undefined are left out, as JSON leaves them out. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
  return `{${members.join(",")}}`;
}
