/** Names one request in the answer, in the log and towards the upstream. */

/** `req_` and 122 random bits in hexadecimal: nothing to guess, nothing to count. */
export function mintRequestId(randomUuid: () => string): string {
  const uuid = randomUuid();
  // Of a form that is fixed (RFC 9562 section 4), so nothing has to be searched.
  return `req_${uuid.slice(0, 8)}${uuid.slice(9, 13)}${uuid.slice(14, 18)}${uuid.slice(19, 23)}${uuid.slice(24)}`;
}
