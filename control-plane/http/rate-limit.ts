/**
 * How often one caller may ask: so many requests in a window that begins with its first. Counted in the memory of an isolate, without
 * a question to anybody; Cloudflare runs several isolates, so what a caller gets in all is a small multiple.
 * Headers as in draft-ietf-httpapi-ratelimit-headers-10.
 */
import { LRUCache } from "lru-cache";
import type { ControlPlaneConfiguration } from "../configuration.ts";
import { ApiError } from "./api-error.ts";

/** A limit with its name, which is said to callers. */
interface RatePolicy {
  readonly name: string;
  readonly requestsPerMinute: number;
}

interface Window {
  readonly endsAtMs: number;
  taken: number;
}

const WINDOW_MS = 60_000;
/** Subjects counted at once; who has not been heard of the longest is forgotten first. */
const SUBJECTS_MAX = 10_000;

/** Counts the requests of each subject. */
class RateLimiter {
  readonly #policy: RatePolicy;
  readonly #now: () => number;
  readonly #windows = new LRUCache<string, Window>({ max: SUBJECTS_MAX });

  constructor(policy: RatePolicy, now: () => number) {
    this.#policy = policy;
    this.#now = now;
  }

  /** Counts one request; the headers that say what is left, or 429 `rate_limit_exceeded` with them. */
  take(subject: string): Readonly<Record<string, string>> {
    const nowMs = this.#now();
    const window = this.#windowOf(subject, nowMs);
    window.taken++;
    const { name, requestsPerMinute } = this.#policy;
    const left = Math.max(0, requestsPerMinute - window.taken);
    const waitS = Math.ceil((window.endsAtMs - nowMs) / 1_000);
    const headers = {
      "RateLimit-Policy": `"${name}";q=${requestsPerMinute};w=${WINDOW_MS / 1_000}`,
      RateLimit: `"${name}";r=${left};t=${waitS}`,
    };
    if (window.taken <= requestsPerMinute) return headers;
    throw new ApiError("rate_limit_exceeded", "Too many requests.", {}, { ...headers, "Retry-After": String(waitS) });
  }

  #windowOf(subject: string, nowMs: number): Window {
    const current = this.#windows.get(subject);
    // A clock that was set back must not make a window last.
    if (current && current.endsAtMs > nowMs && current.endsAtMs <= nowMs + WINDOW_MS) return current;
    const fresh = { endsAtMs: nowMs + WINDOW_MS, taken: 0 };
    this.#windows.set(subject, fresh);
    return fresh;
  }
}

/** How often one may ask. */
export interface Limits {
  /** By caller, whoever it is. */
  readonly caller: RateLimiter;
  /** By network address: whoever tries the bootstrap secret is nobody yet. */
  readonly bootstrap: RateLimiter;
}

/** The limits that an installation is set to. */
export function limitsOf(
  settings: Pick<ControlPlaneConfiguration, "callerRequestsPerMinute" | "bootstrapAttemptsPerMinute">,
  now: () => number,
): Limits {
  return {
    caller: new RateLimiter({ name: "caller", requestsPerMinute: settings.callerRequestsPerMinute }, now),
    bootstrap: new RateLimiter({ name: "bootstrap", requestsPerMinute: settings.bootstrapAttemptsPerMinute }, now),
  };
}
