/**
 * Knows the whole truth, and holds every decision against it.
 *
 * A decision is right if some state of the ledger justifies it that is not older than what had returned, and not newer than what was
 * committed. What was still on its way may count or not.
 */
import type { Allowed, Decision, Refused } from "../../core/edge/request.ts";
import type { Exchange } from "./edge-node.ts";
import type { LedgerState } from "./ledger-state.ts";
import { askedBy, NO_PATH, OWN_PATH, PAGE_ORIGIN, PAGE_PATH, PUBLIC_PATH, TEST_PATH } from "./routes.ts";

/** What must hold. */
type Invariant = "I1" | "I2" | "I3" | "I4" | "I5" | "I6" | "F0";

/** Where something did not hold. */
export interface Violation {
  readonly invariant: Invariant;
  readonly atMs: number;
  readonly text: string;
}

/** What a key could do from an entry on; null: nothing, dead. */
interface Change {
  readonly seq: number;
  readonly permissions: readonly string[] | null;
}

interface RoutesChange {
  readonly seq: number;
  readonly version: number;
}

export class Oracle {
  readonly violations: Violation[] = [];
  readonly #history = new Map<string, Change[]>();
  readonly #routes: RoutesChange[] = [{ seq: 0, version: 0 }];
  /** By cell: the latest entry that raised floors and whose call has returned. All before it are in force with it. */
  readonly #returned = new Map<number, number>();
  /** By key: the entry that made it, once that call has returned. It says nothing of other entries. */
  readonly #made = new Map<string, number>();

  /** The truth has changed. */
  committed(state: LedgerState): void {
    for (const key of state.keys.keys()) {
      const permissions = state.effective(key);
      const changes = this.#history.get(key) ?? [];
      const last = changes.at(-1);
      if (last === undefined || String(last.permissions) !== String(permissions) || (last.permissions === null) !== (permissions === null))
        changes.push({ seq: state.seq, permissions });
      this.#history.set(key, changes);
    }
    if (state.cell !== 0) return;
    const { version } = state.routes();
    if (this.#routes.at(-1)?.version !== version) this.#routes.push({ seq: state.seq, version });
  }

  /** A call has returned: its entry, and all that this entry builds on, must be in force. */
  returned(cell: number, seq: number): void {
    this.#returned.set(cell, Math.max(this.#returned.get(cell) ?? 0, seq));
  }

  /** The call that made a key has returned. */
  made(key: string, seq: number): void {
    this.#made.set(key, seq);
  }

  /** From which entry on a key's state counts for a request that arrives now. */
  since(key: string, cell: number): number {
    return Math.max(this.returnedUpTo(cell), this.#made.get(key) ?? 0);
  }

  /** The latest entry of a cell whose call has returned. */
  returnedUpTo(cell: number): number {
    return this.#returned.get(cell) ?? 0;
  }

  /** Judges a decision at the moment it is made. `before` are the entries that had returned when the request arrived. */
  judge(exchange: Exchange, decision: Decision, before: { readonly key: number; readonly routes: number }, nowMs: number): void {
    if ("reason" in decision) this.#judgeRefusal(exchange, decision, before, nowMs);
    else if ("preflight" in decision) this.#judgePreflight(exchange, nowMs);
    else if (decision.basis?.stale !== true) this.#judgeAdmission(exchange, decision, nowMs);
  }

  #judgeAdmission(exchange: Exchange, decision: Allowed, nowMs: number): void {
    const { key, cell, edge, path, replicaKnew } = exchange;
    if (decision.route.public === true || key === null) {
      if (path !== PUBLIC_PATH) this.#violated("I1", nowMs, `${edge.name} let ${path} pass without a key`);
      return;
    }
    if (path === OWN_PATH || path === TEST_PATH) this.#violated("I1", nowMs, `${edge.name} let ${key} from elsewhere pass to ${path}`);
    const asked = askedBy(decision.route);
    const since = this.returnedUpTo(cell);
    const states = this.#statesSince(key, since);
    if (!states.some((permissions) => permissions?.includes(asked) === true)) {
      const invariant = states.every((permissions) => permissions === null) ? "I1" : "I2";
      this.#violated(
        invariant,
        nowMs,
        `${edge.name} accepted ${key} for ${path} (${asked}) by ${describe(decision)}; since entry ${since}, which had returned, it may: ${String(states.map((each) => each ?? "dead"))}`,
      );
    }
    const version = Number(/^flex-(\d+)$/.exec(decision.route.name)?.[1] ?? Number.NaN);
    if (!Number.isNaN(version) && !this.#routesInForceSince(this.returnedUpTo(0)).includes(version))
      this.#violated(
        "I2",
        nowMs,
        `${edge.name} used route table ${version}; since entry ${this.returnedUpTo(0)}, which had returned: ${String(this.#routesInForceSince(this.returnedUpTo(0)))}`,
      );
    // Where knowledge may have some age, what is older must have been asked for after the request came.
    const isYoung = (decision.basis?.ageMs ?? 0) < (decision.route.freshness ?? Number.POSITIVE_INFINITY);
    if (!isYoung && replicaKnew !== undefined && (decision.basis?.seq ?? 0) < replicaKnew)
      this.#violated(
        "F0",
        nowMs,
        `${edge.name} decided ${path} by entry ${decision.basis?.seq ?? "none"}, older than what its replica knew when it arrived (${replicaKnew})`,
      );
  }

  #judgeRefusal(exchange: Exchange, decision: Refused, before: { readonly key: number; readonly routes: number }, nowMs: number): void {
    const { reason } = decision;
    if (reason === "ledger_unreachable" || decision.basis?.stale === true) return;
    const { key, edge, path } = exchange;
    if (key === null || path === NO_PATH || path === OWN_PATH || reason === "basic_not_allowed")
      return this.#judgeWithoutKey(exchange, reason, nowMs);
    const states = this.#statesSince(key, before.key);
    const routes = this.#routesInForceSince(before.routes);
    const isJustified =
      reason === "insufficient_scope"
        ? routes.length > 1 ||
          states.some((permissions) => permissions !== null && !permissions.includes(path === "/flex" ? "?" : askedOn(path)))
        : (reason === "wrong_environment" && path === TEST_PATH) ||
          ((reason === "revoked_key" || reason === "unknown_key") && states.includes(null));
    // What /flex asks for changes; whether that was right is judged where it lets something through.
    if (!isJustified && path !== "/flex")
      this.#violated(
        "I3",
        nowMs,
        `${edge.name} refused ${key} for ${path} with ${reason}; since entry ${before.key} it may: ${String(states.map((each) => each ?? "dead"))}`,
      );
  }

  /** What a page may send, browsers are told without a key. */
  #judgePreflight({ edge, path, origin }: Exchange, nowMs: number): void {
    if (path !== PAGE_PATH || origin !== PAGE_ORIGIN)
      this.#violated("I1", nowMs, `${edge.name} let pages of ${origin ?? "nowhere"} send requests to ${path}`);
  }

  /** Refusals that have nothing to do with what a key may do. */
  #judgeWithoutKey({ edge, path, key, origin }: Exchange, reason: string, nowMs: number): void {
    const ofPage = origin === undefined ? undefined : path === PAGE_PATH ? "origin_not_allowed" : "no_route";
    const ofPath = ofPage ?? (path === NO_PATH ? "no_route" : path === OWN_PATH ? "foreign_not_allowed" : undefined);
    const expected = ofPath ?? (key === null ? "missing_credential" : "basic_not_allowed");
    if (reason !== expected || (origin === undefined ? path === PUBLIC_PATH : origin === PAGE_ORIGIN && path === PAGE_PATH))
      this.#violated("I3", nowMs, `${edge.name} refused ${path} with ${reason} where only ${expected} would be right`);
  }

  /** What a key could do at any entry from this one on. */
  #statesSince(key: string, seq: number): (readonly string[] | null)[] {
    const changes = this.#history.get(key) ?? [];
    const atThat = changes.filter((change) => change.seq <= seq).at(-1);
    return [atThat?.permissions ?? null, ...changes.filter((change) => change.seq > seq).map(({ permissions }) => permissions)];
  }

  #routesInForceSince(seq: number): number[] {
    const atThat = this.#routes.filter((change) => change.seq <= seq).at(-1);
    return [atThat?.version ?? 0, ...this.#routes.filter((change) => change.seq > seq).map(({ version }) => version)];
  }

  /** Notes that something did not hold. */
  violated(invariant: Invariant, nowMs: number, text: string): void {
    this.#violated(invariant, nowMs, text);
  }

  #violated(invariant: Invariant, atMs: number, text: string): void {
    this.violations.push({ invariant, atMs, text });
  }
}

function askedOn(path: string): string {
  return path === "/write" ? "write" : "read";
}

function describe(decision: Decision): string {
  const { basis } = decision;
  return basis ? `entry ${basis.seq} of cell ${basis.cell}, asked for ${Math.round(basis.ageMs)} ms ago` : "nothing";
}
