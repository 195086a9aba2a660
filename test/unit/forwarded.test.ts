/** The value of `Forwarded` (RFC 7239 section 4). */
import { expect, it } from "vitest";
import { forwardedOf } from "../../worker/forwarded.ts";

it.each([
  ["192.0.2.60", "api.example", true, 'for=192.0.2.60;host="api.example";proto=https'],
  ["2001:db8::1", "api.example:8443", false, 'for="[2001:db8::1]";host="api.example:8443";proto=http'],
  ["192.0.2.60", "[2001:db8::1]:80", true, 'for=192.0.2.60;host="[2001:db8::1]:80";proto=https'],
  [undefined, undefined, true, "for=unknown;proto=https"],
  [undefined, 'a";for=127.0.0.1;x="', true, "for=unknown;proto=https"],
  [undefined, "a.example, b.example", true, "for=unknown;proto=https"],
])("of %s at %s, https %s, is %s", (address, host, isHttps, value) => {
  expect(forwardedOf(address, host, isHttps)).toBe(value);
});
