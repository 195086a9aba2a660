/** What the receiver's process and the tests inside workerd tell each other. */

declare module "vitest" {
  interface ProvidedContext {
    /** Where the receiver listens. */
    readonly receiver: string;
  }
}

/** What the receiver does with a delivery. */
export type Fate = keyof typeof FATES;

/** Each fate: whether the receiver takes the event, and whether the sender, if it goes by what the docs say, hears of it. */
export const FATES = {
  accepts: { takes: true, isHeard: true },
  answers_slowly: { takes: true, isHeard: true },
  answers_without_end: { takes: true, isHeard: true },
  closes_within_its_answer: { takes: true, isHeard: true },
  answers_too_late: { takes: true, isHeard: false },
  closes_having_taken: { takes: true, isHeard: false },
  closes_at_once: { takes: false, isHeard: false },
  closes_within_its_status: { takes: false, isHeard: false },
  drips_headers: { takes: false, isHeard: false },
  fails: { takes: false, isHeard: false },
  fails_without_end: { takes: false, isHeard: false },
  hangs: { takes: false, isHeard: false },
  redirects: { takes: false, isHeard: false },
  speaks_no_http: { takes: false, isHeard: false },
} as const satisfies Readonly<Record<string, { readonly takes: boolean; readonly isHeard: boolean }>>;

/** A secret that a receiver has, with a name for tests to tell them by. */
export interface NamedSecret {
  readonly name: string;
  readonly secret: string;
}

/** How a hook behaves from now on. */
export interface HookSettings {
  /** All that it knows of. A delivery that neither library verifies with any of them is not taken, whatever the fate. */
  readonly secrets: readonly NamedSecret[];
  /** The fates it deals out, each of them once before any comes again. */
  readonly fates: readonly Fate[];
}

/** A delivery as it arrived. */
export interface Arrival {
  /** Of the receiver's clock. */
  readonly atMs: number;
  readonly body: string;
  readonly webhookId: string;
  readonly fate: Fate | "not_verified";
  readonly isTaken: boolean;
  /** Names of the secrets with which the Standard Webhooks library verified `webhook-signature`. */
  readonly standard: readonly string[];
  /** Names of the secrets with which the WorkOS SDK verified `WorkOS-Signature`, and `WorkOS-Signature-Next` where there is one. */
  readonly workos: readonly string[];
  readonly workosNext: readonly string[];
}

/** What the receiver has seen. */
export interface Report {
  /** By hook, oldest first. */
  readonly arrivals: Readonly<Record<string, readonly Arrival[]>>;
  /** Requests that only somebody who followed a redirect makes. */
  readonly followed: number;
  /** Answers without end that nobody has cut off yet. */
  readonly endless: number;
}
