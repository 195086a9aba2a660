/** Names of requests: all different, whole, and from random bytes that are used once. */
import { expect, it } from "vitest";
import { RequestIds } from "../../core/request-id.ts";

const HEX_LENGTH = 32;

it("are the random bytes, each used once, however many are drawn together", () => {
  const drawn: string[] = [];
  const ids = new RequestIds((target) => {
    crypto.getRandomValues(target as Uint8Array<ArrayBuffer>);
    drawn.push(Buffer.from(target).toString("hex"));
    return target;
  });
  const made: string[] = [];
  while (drawn.length < 3) made.push(ids.next());
  for (const id of made) expect(id).toMatch(/^req_[0-9a-f]{32}$/);
  // The last one is the first of what was drawn last.
  const used = made.map((id) => id.slice(-HEX_LENGTH)).join("");
  expect(used).toBe(drawn.join("").slice(0, used.length));
  expect(new Set(made).size).toBe(made.length);
});

it("are drawn when the first one is asked for: outside of a request the platform gives no random bytes", () => {
  let times = 0;
  const ids = new RequestIds((target) => {
    times += 1;
    return target;
  });
  expect(times).toBe(0);
  ids.next();
  expect(times).toBe(1);
});
