/**
 * What becomes of a key by time alone: notices before its end, the end, a warning that it is not used, its being disabled for that. Pure: it is
 * told what was told before, so that each happens once, however late somebody looks.
 */
import { DAY_MS, type ApiKeyPolicy } from "./api-key-policy.ts";

const MINUTE_MS = 60_000;
/** That a key was used is known within this. */
const USAGE_KNOWN_WITHIN_MS = MINUTE_MS;
/** The warning, where one is wanted, of a key that may be idle for a single day. */
const SHORTEST_WARNING_DAYS = 0.5;

/** A key as its calendar is made of it. Times are ms since the epoch. */
export interface KeyOnCalendar {
  readonly expires_at_ms: number | null;
  /** When it was used last; made, if it never was; or could be used again, if that was later. */
  readonly unused_since_ms: number;
  readonly isEnabled: boolean;
  /** Until when all that there was to tell of its end has been told. */
  readonly told_until_ms: number;
  /** The moment at which it is to be disabled as the last warning said, or null. */
  readonly idle_end_told_ms: number | null;
}

/** Something that happens to a key. */
export type KeyMoment =
  | { readonly type: "expired" }
  | { readonly type: "expiring_soon"; readonly days: number }
  | { readonly type: "idle"; readonly disabled_at_ms: number }
  | { readonly type: "disabled_for_idleness" };

/** What has happened by now, in order, and when to look again; null: nothing more will happen. */
export interface KeyLook {
  readonly moments: readonly KeyMoment[];
  readonly nextMs: number | null;
  /** The warning that holds from now on, to be remembered in place of the one before. */
  readonly idle_end_told_ms: number | null;
}

/** Looks at a key. */
export function lookAt(policy: ApiKeyPolicy, key: KeyOnCalendar, nowMs: number): KeyLook {
  const { expires_at_ms, told_until_ms } = key;
  if (expires_at_ms !== null && expires_at_ms <= nowMs)
    return { ...NOTHING, moments: expires_at_ms > told_until_ms ? [{ type: "expired" }] : [] };
  const end = expires_at_ms === null ? NOTHING : lookAhead(policy.expiry_notice_days, expires_at_ms, told_until_ms, nowMs);
  const idle = key.isEnabled ? lookForUse(policy, key, nowMs) : NOTHING;
  return { ...idle, moments: [...end.moments, ...idle.moments], nextMs: earlier(end.nextMs, idle.nextMs) };
}

const NOTHING: KeyLook = { moments: [], nextMs: null, idle_end_told_ms: null };

/** Of several notices that were missed only the last is given: it says all that the others would have. */
function lookAhead(noticeDays: readonly number[], expiresAtMs: number, toldUntilMs: number, nowMs: number): KeyLook {
  const notices = noticeDays.map((days) => ({ days, atMs: expiresAtMs - days * DAY_MS }));
  const missed = notices.filter(({ atMs }) => toldUntilMs < atMs && atMs <= nowMs).map(({ days }) => days);
  const coming = notices.map(({ atMs }) => atMs).filter((atMs) => atMs > nowMs);
  return {
    ...NOTHING,
    moments: missed.length === 0 ? [] : [{ type: "expiring_soon", days: Math.min(...missed) }],
    nextMs: Math.min(expiresAtMs, ...coming),
  };
}

/**
 * A warning holds for the moment it named. If by now the key may go unused for longer than that, because it was used or the policy has changed,
 * it is void for good, and there will be another one. Nobody is disabled sooner after a warning than the policy says, however late it came. Who
 * looks late at the end was away, and may hear only now that the key was used: it has a minute more.
 */
function lookForUse(policy: ApiKeyPolicy, key: KeyOnCalendar, nowMs: number): KeyLook {
  const { idle_days_max, idle_warning_days } = policy;
  if (idle_days_max === null) return NOTHING;
  const limitMs = key.unused_since_ms + idle_days_max * DAY_MS + USAGE_KNOWN_WITHIN_MS;
  const warningMs = Math.min(idle_warning_days, Math.max(idle_days_max - 1, SHORTEST_WARNING_DAYS)) * DAY_MS;
  const toldMs = key.idle_end_told_ms;
  if (warningMs === 0 || (toldMs !== null && toldMs >= limitMs)) {
    const endMs = Math.max(limitMs, toldMs ?? 0);
    if (endMs > nowMs) return { ...NOTHING, nextMs: endMs, idle_end_told_ms: toldMs };
    const heardOfByMs = nowMs + USAGE_KNOWN_WITHIN_MS;
    if (nowMs > endMs + MINUTE_MS) return { ...NOTHING, nextMs: heardOfByMs, idle_end_told_ms: heardOfByMs };
    return { ...NOTHING, moments: [{ type: "disabled_for_idleness" }] };
  }
  if (nowMs < limitMs - warningMs) return { ...NOTHING, nextMs: limitMs - warningMs };
  // What is late by less than a minute is on time.
  const disabled_at_ms = Math.max(limitMs, nowMs + warningMs - MINUTE_MS);
  return { moments: [{ type: "idle", disabled_at_ms }], nextMs: disabled_at_ms, idle_end_told_ms: disabled_at_ms };
}

function earlier(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}
