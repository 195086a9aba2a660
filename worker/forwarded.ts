/** `Forwarded` (RFC 7239): where a request came from, in the gateway's own word. */

const PLAIN_HOST = /^[A-Za-z0-9.:[\]_-]+$/;

/** The value. `address` and `host` are undefined where nothing is known of them. A host that is none is not repeated. */
export function forwardedOf(address: string | undefined, host: string | undefined, isHttps: boolean): string {
  const from = address === undefined ? "unknown" : nodeOf(address);
  const at = host !== undefined && PLAIN_HOST.test(host) ? `;host="${host}"` : "";
  return `for=${from}${at};proto=${isHttps ? "https" : "http"}`;
}

/** Section 6: an IPv6 address is in brackets, and quoted because of its colons. The platform gives no port. */
function nodeOf(address: string): string {
  return address.includes(":") ? `"[${address}]"` : address;
}
