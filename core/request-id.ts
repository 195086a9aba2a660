/** Names one request in the answer, in the log and towards the upstream. */

/** `req_` and 122 random bits in hexadecimal: nothing to guess, nothing to count. */
export function mintRequestId(randomUuid: () => string): string {
  return `req_${randomUuid().replaceAll("-", "")}`;
}
