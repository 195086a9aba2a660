/** The schedule of deliveries, their signatures, and the ids of events. */
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { hmacSha256 } from "../../core/digest.ts";
import { EVENT_TYPES, eventType } from "../../control-plane/ledger/event-catalogue.ts";
import { eventId, PART_MAX, placeOfEvent, previousAttributes, type EventPlace } from "../../core/event.ts";
import { isSustainedFailure, nextAttemptAtMs, RETRY_DELAYS_MS } from "../../core/webhook/schedule.ts";
import { signatureHeaders, webhookSecret, type SigningPorts } from "../../core/webhook/signature.ts";

const DAY_MS = 24 * 60 * 60 * 1_000;
const ports: SigningPorts = {
  hmacSha256,
  utf8: (text) => new TextEncoder().encode(text),
  toBase64: (bytes) => Buffer.from(bytes).toString("base64"),
  fromBase64: (text) => new Uint8Array(Buffer.from(text, "base64")),
  toHex: (bytes) => Buffer.from(bytes).toString("hex"),
};

describe("the schedule", () => {
  it("is ten attempts over a little more than three days, each pause longer by a tenth at most", () => {
    const walk = (jitter: number) => {
      const times = [0];
      for (let next = nextAttemptAtMs(1, 0, jitter); next !== undefined; next = nextAttemptAtMs(times.length, next, jitter))
        times.push(next);
      return times;
    };
    expect(walk(0).map((at) => at / 1_000)).toEqual([0, 5, 305, 2_105, 9_305, 27_305, 63_305, 113_705, 185_705, 272_105]);
    const latest = walk(1).at(-1) ?? 0;
    expect(latest).toBeGreaterThan(3 * DAY_MS);
    expect(latest).toBeLessThanOrEqual((walk(0).at(-1) ?? 0) * 1.1 + RETRY_DELAYS_MS.length);
  });

  it("gives an endpoint up only if it accepted nothing in all that time", () => {
    expect(isSustainedFailure(1_000, null)).toBe(true);
    expect(isSustainedFailure(1_000, 999)).toBe(true);
    expect(isSustainedFailure(1_000, 1_000)).toBe(false);
    expect(isSustainedFailure(1_000, 2_000)).toBe(false);
  });
});

describe("a signature", () => {
  it("is the one in the Standard Webhooks libraries' own example", () => {
    const signable = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", atMs: 1_614_265_330_999, body: '{"test": 2432232314}' };
    const headers = signatureHeaders(signable, { current: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", previous: null }, ports);
    expect(headers["webhook-timestamp"]).toBe("1614265330");
    expect(headers["webhook-signature"]).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  });

  it("is accepted by that library under either secret of two, and not over another body", () => {
    const [current, previous] = [1, 2].map((fill) => webhookSecret(new Uint8Array(32).fill(fill), ports.toBase64)) as [string, string];
    const body = JSON.stringify({ name: "Zoë 🔑" });
    const headers = signatureHeaders({ id: "event_1", atMs: Date.now(), body }, { current, previous }, ports);
    for (const secret of [current, previous]) {
      expect(new Webhook(secret).verify(body, headers)).toEqual({ name: "Zoë 🔑" });
      expect(() => new Webhook(secret).verify(body.replace("Zoë", "Zoe"), headers)).toThrow(/signature/i);
    }
  });

  it("in WorkOS's header is keyed with the secret's text, one for each header", () => {
    const [current, previous] = ["whsec_bmV3", "whsec_b2xk"];
    const headers = signatureHeaders({ id: "event_1", atMs: 1_234, body: "{}" }, { current, previous }, ports);
    const expected = (secret: string) => `t=1234, v1=${createHmac("sha256", secret).update("1234.{}").digest("hex")}`;
    expect(headers["WorkOS-Signature"]).toBe(expected(previous));
    expect(headers["WorkOS-Signature-Next"]).toBe(expected(current));
  });
});

describe("an event's id", () => {
  const place = fc.record({
    atMs: fc.integer({ min: 0, max: 2 ** 45 }),
    cell: fc.integer({ min: 0, max: 31 }),
    seq: fc.integer({ min: 1, max: 2 ** 44 }),
    part: fc.integer({ min: 0, max: PART_MAX }),
  });
  const inOrder = ({ atMs, cell, seq, part }: EventPlace) => [atMs, cell, seq, part];

  it("tells its place, and texts sort as places do", () => {
    fc.assert(
      fc.property(place, place, (one, other) => {
        expect(placeOfEvent(eventId(one))).toEqual(one);
        const [left, right] = [inOrder(one), inOrder(other)];
        const at = left.findIndex((value, nth) => value !== right[nth]);
        const isBefore = at >= 0 && (left[at] ?? 0) < (right[at] ?? 0);
        expect(eventId(one) < eventId(other)).toBe(isBefore);
      }),
    );
  });

  it.each(["", "event_", "api_key_01ARZ3NDEKTSV4RRFFQ69G5FAV", "event_01arz3ndektsv4rrffq69g5fav", "event_81ARZ3NDEKTSV4RRFFQ69G5FAV"])(
    "is not '%s'",
    (text) => expect(placeOfEvent(text)).toBeUndefined(),
  );
});

describe("an event", () => {
  it.each(EVENT_TYPES)("may be called %s", (name) => {
    expect(name).toMatch(/^[a-z][a-z_]*\.[a-z][a-z_]*$/);
    expect(eventType.safeParse(name).success).toBe(true);
  });
  it.each([
    "",
    "api_key",
    "api_key.",
    ".created",
    "API_KEY.created",
    "api key.created",
    "a.b'",
    "*",
    "api_key.*",
    "toString",
    `a.${"b".repeat(80)}`,
  ])("may not be called '%s'", (name) => expect(eventType.safeParse(name).success).toBe(false));

  it("tells of an object what was different before, and leaves out when it was last changed", () => {
    const before = { name: "a", tags: ["x"], updated_at: "1", gone: true };
    expect(previousAttributes(before, { name: "b", tags: ["x"], updated_at: "2", added: 1 })).toEqual({ name: "a", gone: true });
  });
});
