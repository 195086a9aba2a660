/**
 * What the gateway says to upstreams about a caller: a JWT (RFC 7519) that it signs, so that an API can tell what the gateway said from what
 * anybody else says, without asking anyone.
 *
 * It lives for a minute and is used for half of that, so that a fresh one has time to arrive; signing is off the path of all
 * requests but the first of a key on a route. It gives no access at the gateway, and is only ever sent with a request that was allowed a
 * moment ago, so a revoked key gets none.
 */
import { SignJWT } from "jose";
import { LRUCache } from "lru-cache";
import { ASSERTION_ALGORITHM, ASSERTION_ISSUER, ASSERTION_TYPE } from "../core/assertion.ts";
import type { ActiveRecord } from "../core/record.ts";
import type { Route } from "../core/route.ts";
import { upstreamsOf } from "../core/upstream.ts";
import type { AssertionKeys } from "./assertion-keys.ts";

/** Seconds it is good for. */
const LIFETIME_S = 60;
/** Milliseconds after which another one is signed beside the requests, and after which none waits for that any more. */
const RENEWED_AFTER_MS = 30_000;
const UNUSED_AFTER_MS = 45_000;
const KEPT_MAX = 10_000;
/** Characters of all that are kept. */
const KEPT_SIZE_MAX = 16_000_000;

/** Whom a request is from, and by which route it goes. */
export interface Caller {
  readonly record: ActiveRecord;
  readonly route: Route;
}

interface Signed extends Caller {
  readonly text: string;
  readonly signedAtMs: number;
  isBeingRenewed: boolean;
}

/** One isolate's assertions. It holds values, never promises: those belong to the request that made them. */
export class Assertions {
  readonly #keys: AssertionKeys;
  readonly #signed = new LRUCache<string, Signed>({ max: KEPT_MAX, maxSize: KEPT_SIZE_MAX, sizeCalculation: ({ text }) => text.length });

  constructor(keys: AssertionKeys) {
    this.#keys = keys;
  }

  /** The one at hand; undefined if one must be signed first. `renew` takes what should go on beside the request. */
  atHand(caller: Caller, nowMs: number, renew: (renewal: Promise<unknown>) => void): string | undefined {
    const signed = this.#signed.get(nameOf(caller));
    // The record itself, not one like it: whatever has changed of a key came with another record.
    if (signed?.record !== caller.record || signed.route !== caller.route) return undefined;
    const ageMs = nowMs - signed.signedAtMs;
    if (ageMs < 0 || ageMs >= UNUSED_AFTER_MS) return undefined;
    if (ageMs >= RENEWED_AFTER_MS && !signed.isBeingRenewed) {
      signed.isBeingRenewed = true;
      renew(this.sign(caller, nowMs));
    }
    return signed.text;
  }

  /** Signs one, and keeps it. */
  async sign(caller: Caller, nowMs: number): Promise<string> {
    const [key] = this.#keys;
    const text = await new SignJWT(claimsOf(caller))
      .setProtectedHeader({ alg: ASSERTION_ALGORITHM, typ: ASSERTION_TYPE, kid: key.kid })
      .setIssuedAt(new Date(nowMs))
      .setExpirationTime(new Date(nowMs + LIFETIME_S * 1_000))
      .sign(key);
    this.#signed.set(nameOf(caller), { ...caller, text, signedAtMs: nowMs, isBeingRenewed: false });
    return text;
  }
}

function nameOf({ record, route }: Caller): string {
  return `${record.token_id} ${route.name}`;
}

/**
 * The claims (docs/api.md, "What your API gets"). The audience is the origin of the route's upstream: what one of the customer's APIs got is
 * nothing to another. Several upstreams of one route are the same API, and a request may be sent again to another of them: all are named.
 */
function claimsOf({ record, route }: Caller) {
  const { owner } = record;
  const origins = [...new Set(upstreamsOf(route).map(({ url }) => new URL(url).origin))];
  const [origin = "", ...others] = origins;
  return {
    iss: ASSERTION_ISSUER,
    aud: others.length === 0 ? origin : origins,
    sub: owner.id,
    organization_id: owner.type === "user" ? owner.organization_id : owner.id,
    key_id: record.key_id,
    environment: record.environment,
    permissions: record.permissions,
    route: route.name,
  };
}
