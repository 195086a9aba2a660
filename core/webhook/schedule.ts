/**
 * When a delivery is tried again, and when an endpoint is given up. The schedule is the one that the Standard Webhooks
 * specification suggests: ten attempts over a little more than three days.
 */

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** The pause after each failed attempt, in ms. The first attempt is made at once. */
export const RETRY_DELAYS_MS: readonly number[] = [
  5 * SECOND_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
];

/** A pause is made longer by up to this part of it, so that what failed together does not come back together. */
const JITTER_MAX = 0.1;

/** When to try again after `attempts` failed ones, the last at `failedAtMs`; undefined when that was the last. `jitter` is random, 0 to 1. */
export function nextAttemptAtMs(attempts: number, failedAtMs: number, jitter: number): number | undefined {
  const delayMs = RETRY_DELAYS_MS[attempts - 1];
  return delayMs === undefined ? undefined : failedAtMs + Math.ceil(delayMs * (1 + JITTER_MAX * jitter));
}

/** Whether an event whose attempts are used up speaks against the endpoint and not against the event: nothing was accepted since its first one. */
export function isSustainedFailure(firstAttemptAtMs: number, lastSuccessAtMs: number | null): boolean {
  return lastSuccessAtMs === null || lastSuccessAtMs < firstAttemptAtMs;
}
