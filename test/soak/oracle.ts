/**
 * Which answers a request may get, from what was known about the world while it was on its way. Written anew from the documentation, not with
 * the gateway's own code.
 */
import type { Key, Secret, SoakRoute, World } from "./world.ts";

/** What a client has in its hand. */
export type Presented =
  | { readonly kind: "key"; readonly key: Key; readonly secret: Secret }
  | { readonly kind: "none" }
  | { readonly kind: "malformed" | "mistyped" | "forged" | "two" };

/** A request as it was sent. */
export interface Sent {
  readonly path: string;
  readonly presented: Presented;
}

/** Milliseconds since the epoch between which a request was on its way. */
export interface Interval {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The request reached the upstream. */
export const PASSED = "passed";

/** {@link PASSED}, or codes of refusals: all that may come of a request, if nothing fails. */
export function permissible({ path, presented }: Sent, world: World, interval: Interval): ReadonlySet<string> {
  switch (presented.kind) {
    case "two":
      return new Set(["multiple_credentials"]);
    case "malformed":
      return new Set(["malformed_token"]);
    case "mistyped":
      return new Set(["checksum_mismatch"]);
    case "forged":
      return new Set(["invalid_key"]);
    case "none":
    case "key":
      return new Set(routesAt(path, world, interval).flatMap((route) => outcomesOn(route, presented, interval)));
  }
}

/** What the route may have been; null: there was none. */
export function routesAt(path: string, world: World, { fromMs, toMs }: Interval): readonly (SoakRoute | null)[] {
  return world.routes.get(path)?.possible(fromMs, toMs) ?? [null];
}

function outcomesOn(route: SoakRoute | null, presented: Extract<Presented, { kind: "none" | "key" }>, interval: Interval): string[] {
  if (!route) return ["no_route"];
  if (presented.kind === "none") return [route.permission === null ? PASSED : "missing_credential"];
  const { mayLive, codes } = lifeOf(presented.key, presented.secret, interval);
  return mayLive ? [...codes, ...scopeOutcomes(presented.key, route, interval)] : codes;
}

/** Whether a key may have been good, and how it may have been refused if not. */
function lifeOf(key: Key, secret: Secret, { fromMs, toMs }: Interval): { readonly mayLive: boolean; readonly codes: string[] } {
  const codes = new Set<string>();
  let mayLive = true;
  const judge = (states: readonly boolean[], good: boolean, ...told: readonly string[]) => {
    if (states.includes(!good)) for (const code of told) codes.add(code);
    mayLive &&= states.includes(good);
  };
  judge(key.isRevoked.possible(fromMs, toMs), false, "invalid_key");
  judge(key.isEnabled.possible(fromMs, toMs), true, "invalid_key");
  judge(key.organization.isRunning.possible(fromMs, toMs), true, "invalid_key");
  // What ends by itself is swept a moment later, and then no better than what was revoked.
  judge(key.hasExpired.possible(fromMs, toMs), false, "expired_key", "invalid_key");
  judge(secret.isCurrent.possible(fromMs, toMs), true, "rotated_secret", "invalid_key");
  const statuses = key.membership?.status.possible(fromMs, toMs) ?? [];
  if (statuses.length > 0)
    judge(
      statuses.map((status) => status === "active"),
      true,
      "invalid_key",
    );
  return { mayLive, codes: [...codes] };
}

function scopeOutcomes(key: Key, { permission }: SoakRoute, { fromMs, toMs }: Interval): string[] {
  if (permission === null) return [PASSED];
  const granted = key.granted.possible(fromMs, toMs).map((each) => each.includes(permission));
  const ofRoles = key.membership
    ? key.membership.role
        .possible(fromMs, toMs)
        .flatMap((role) => role.permissions.possible(fromMs, toMs).map((each) => each.includes(permission)))
    : [true];
  const outcomes: string[] = [];
  if (granted.includes(true) && ofRoles.includes(true)) outcomes.push(PASSED);
  if (granted.includes(false) || ofRoles.includes(false)) outcomes.push("insufficient_scope");
  return outcomes;
}
