/**
 * The identity provider's public keys (JWKS, RFC 7517), fetched when needed and used for ten minutes at most: a key that it has
 * withdrawn is believed no longer than that, also while it cannot be reached. No promise goes from one request to another: a request
 * that finds another one fetching looks every few milliseconds whether the keys have come.
 */
import { createLocalJWKSet, errors, type JWTVerifyGetKey, type JSONWebKeySet } from "jose";
import { boundedText } from "../../platform/bounded-text.ts";

/** What the key set needs from outside. */
export interface KeySetPorts {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly now: () => number;
  readonly wait: (ms: number) => Promise<unknown>;
}

/** The keys are needed and cannot be had. `message` says why, for the log. */
export class KeysUnavailableError extends Error {
  readonly code = "identity_provider_unreachable";
}

const AGE_MS_MAX = 10 * 60 * 1000;
/** A key that is not in a set as young as this does not exist: strangers cannot make us fetch more often. */
const AGE_MS_FOR_UNKNOWN_KEY = 30_000;
/** After a failure nobody fetches for so long. */
const RETRY_MS = 5_000;
const FETCH_MS_MAX = 5_000;
const BYTES_MAX = 256 * 1024;
const LOOK_EVERY_MS = 10;

interface HeldKeys {
  readonly find: JWTVerifyGetKey;
  readonly fetchedAtMs: number;
}

/** The keys at one URL, as one isolate knows them. */
export class KeySet {
  readonly #url: string;
  readonly #ports: KeySetPorts;
  #held: HeldKeys | undefined;
  #failure: { readonly error: KeysUnavailableError; readonly atMs: number } | undefined;
  /** Until when some request is fetching, if it lives. */
  #fetchingUntilMs = 0;

  constructor(url: string, ports: KeySetPorts) {
    this.#url = url;
    this.#ports = ports;
  }

  /** The key that verifies a token with this header. Rejects with jose's errors when there is none, with a {@link KeysUnavailableError} when that cannot be told. */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    const keys = await this.#notOlderThan(AGE_MS_MAX);
    try {
      return await keys.find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      const fresh = await this.#notOlderThan(AGE_MS_FOR_UNKNOWN_KEY);
      return fresh.find(header, token);
    }
  };

  async #notOlderThan(ageMs: number): Promise<HeldKeys> {
    const { now, wait } = this.#ports;
    for (;;) {
      if (this.#held && now() - this.#held.fetchedAtMs < ageMs) return this.#held;
      if (this.#failure && now() - this.#failure.atMs < RETRY_MS) throw this.#failure.error;
      if (now() >= this.#fetchingUntilMs) return this.#fetch();
      await wait(LOOK_EVERY_MS);
    }
  }

  async #fetch(): Promise<HeldKeys> {
    const { now } = this.#ports;
    const fetchedAtMs = now();
    this.#fetchingUntilMs = fetchedAtMs + FETCH_MS_MAX;
    try {
      this.#held = { find: createLocalJWKSet(await this.#download()), fetchedAtMs };
      this.#failure = undefined;
      return this.#held;
    } catch (cause) {
      const error = new KeysUnavailableError(cause instanceof Error ? cause.message : "failed", { cause });
      this.#failure = { error, atMs: now() };
      throw error;
    } finally {
      this.#fetchingUntilMs = 0;
    }
  }

  async #download(): Promise<JSONWebKeySet> {
    const signal = AbortSignal.timeout(FETCH_MS_MAX);
    const response = await this.#ports.fetch(this.#url, { headers: { Accept: "application/json" }, redirect: "manual", signal });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new Error(`status ${response.status}`);
    }
    // What is no key set is refused by jose.
    return JSON.parse(await boundedText(response, BYTES_MAX)) as JSONWebKeySet;
  }
}
