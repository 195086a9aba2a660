/**
 * One request at an edge, from arrival to decision, as a state machine: {@link EdgeRequest.step} says what is needed or what is
 * decided; whoever runs it does the I/O and tells the outcome.
 *
 * Invariants:
 * - D1 A decision is made in one step, with no I/O between finding the views live and deciding. So whatever was awaited,
 *   everything is checked again afterwards, and nothing is decided when no lease runs any more.
 * - D2 What is decided by was true at the views' entries: each copy, from wherever, is judged by the view of its cell.
 * - D3 Whatever is not clearly allowed is refused.
 */
import { authorize, type MissingPermissions } from "../authorize.ts";
import { HOME_CELL } from "../identifier.ts";
import type { Resolution } from "../ledger-reader.ts";
import type { LimitReport } from "../limits/headers.ts";
import { compileRoutes, matchRoute, type CompiledRoutes } from "../match.ts";
import type { PreparedRoute } from "../prepared-route.ts";
import type { CellView, EdgeViews, Freshness } from "../protocol/edge-views.ts";
import type { Reason } from "../reason.ts";
import { subjectsOf, type ActiveRecord, type KeyRecord } from "../record.ts";
import { allowedStaleMs, freshnessMs, type RouteTable } from "../route.ts";
import type { ForeignToken } from "../foreign-token.ts";
import type { ParsedToken } from "../token.ts";
import { preflightFor, routeRefusal, type Candidate, type Preflight, type Presented } from "./candidate.ts";
import type { KeyMemory, KnownRecord } from "./key-memory.ts";
import type { KnownRoutes, RouteMemory } from "./route-memory.ts";

/** What an edge remembers between requests, and how it digests. */
export interface Edge {
  readonly views: EdgeViews;
  readonly keys: KeyMemory;
  readonly routes: RouteMemory;
  readonly sha256Hex: (text: string) => string;
}

/** What a decision was made by. */
interface Basis {
  /** The cell that speaks for the key, or the home cell where there is none. */
  readonly cell: number;
  /** Latest entry of that cell that was taken into account. */
  readonly seq: number;
  /** Milliseconds since the oldest of the views was asked for. */
  readonly ageMs: number;
  /** The lease had run out and the ledger could not be asked: the route allows it. */
  readonly stale: boolean;
}

/** What was found out on the way, as far as the decision got. */
interface Found {
  readonly route?: PreparedRoute;
  readonly basis?: Basis;
  /** Whose key it is; absent on a public route without one. */
  readonly record?: ActiveRecord;
}

/** The request may pass to `route`'s upstream. */
export interface Allowed extends Found {
  readonly route: PreparedRoute;
  /** A limiter could not be asked: the route allows it. */
  readonly unlimited?: boolean;
}

/** The gateway answers itself: it is a preflight for a request that `route` would take, from an origin it allows. */
export interface Preflighted extends Found {
  readonly route: PreparedRoute;
  readonly preflight: Preflight;
}

/** The request is refused. */
export interface Refused extends Found {
  readonly reason: Reason;
  readonly missing?: MissingPermissions;
  /** On 429. */
  readonly limits?: LimitReport;
  /** Permissions named by the route's `not`, of which the key may do something. */
  readonly excluded?: readonly string[];
  /** Name of the error behind it, for the log. */
  readonly cause?: string;
}

/** What a request came to. */
export type Decision = Allowed | Preflighted | Refused;

/** Something to be done before the request can be decided. Several at once may be done in parallel. */
export type Need =
  /** Ask the replica: {@link EdgeViews.refresh} before anything else happens, then {@link EdgeViews.refreshed}. */
  | { readonly kind: "refresh" }
  /** Somebody else has asked: let so many milliseconds pass. Never wait for what another request does, it may be gone. */
  | { readonly kind: "wait"; readonly ms: number }
  /** Read the published record, then {@link EdgeRequest.recordRead}. */
  | { readonly kind: "read_record"; readonly tokenId: string }
  /** Read the published table, then {@link EdgeRequest.routesRead}. */
  | { readonly kind: "read_routes" }
  /** Ask the cell itself, then {@link EdgeRequest.recordResolved}. `seenStamp` as in LedgerReader. */
  | { readonly kind: "resolve_record"; readonly token: PlacedToken; readonly seenStamp: number | null | undefined }
  /** Ask the home cell itself, then {@link EdgeRequest.routesResolved}. */
  | { readonly kind: "resolve_routes"; readonly seenStamp: number | null | undefined }
  /** Ask the directory where an imported key lives, then {@link EdgeRequest.located}. */
  | { readonly kind: "locate"; readonly tokenId: string; readonly directory: number };

/** A token and the cell that knows it. */
interface PlacedToken {
  readonly tokenId: string;
  readonly cell: number;
}

/** How far a request got: it is decided, or something must be done first. */
export type Step = { readonly decision: Decision } | { readonly needs: readonly Need[] };

/** What a published value's reader found. `stamp` of what was there, null for a miss, undefined if there was no answer. */
export interface Published<Value> {
  readonly value: Value | undefined;
  readonly seenStamp: number | null | undefined;
}

/** How often the same is asked of a cell for one request before it counts as unreachable. */
const RESOLVES_MAX = 3;
/**
 * How many questions to the replica one request asks or waits for without getting any further. The lease may run out under each thing that it
 * has to find out, the routes, where the key lives, its record; and each time somebody else's question may have to be waited for first.
 */
const REFRESHES_MAX = 5;
/** Milliseconds between two looks at a question that somebody else has asked: the longer it takes, the longer. */
const LOOK_MS = { least: 1, most: 50, shareOfElapsed: 0.25 } as const;
const UNREACHABLE: Reason = "ledger_unreachable";

/** One thing that may be asked for a few times. */
class Tries {
  hasFailed = false;
  readonly #most: number;
  #made = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** Whether it may be asked for once more; counts it. */
  another(): boolean {
    return !this.hasFailed && this.#made++ < this.#most;
  }
}

/** One request. Whoever runs it calls {@link EdgeRequest.step}, meets the needs it names, and steps again until there is a decision. */
export class EdgeRequest {
  protected readonly edge: Edge;
  protected readonly candidate: Candidate;
  readonly #questionsBefore: number;
  /** The cell that speaks for the key, or the home cell where there is none, or where it is not known yet. */
  #cell: number = HOME_CELL;
  #cells: readonly number[] = [HOME_CELL];
  /** The presented token, once this request is decided by the view of its cell: one of ours at once, an imported one when it was located. */
  #placedToken: PlacedToken | undefined;
  #refreshes = new Tries(REFRESHES_MAX);
  /** Ordinals of the first and the latest question this request has asked or waited for. */
  #questions: { readonly first: number; readonly latest: number } | undefined;
  readonly #recordResolves = new Tries(RESOLVES_MAX);
  readonly #routesResolves = new Tries(RESOLVES_MAX);
  readonly #locates = new Tries(RESOLVES_MAX);
  #recordCopy: Published<KnownRecord> | undefined;
  #routesCopy: Published<KnownRoutes> | undefined;
  /** What was matched last: the table hardly ever changes under a request. */
  #match: { readonly table: CompiledRoutes; readonly route: PreparedRoute | undefined } | undefined;

  /** Made when the request arrives: a question begun before this does not vouch for it where the route wants freshness 0. */
  constructor(edge: Edge, candidate: Candidate) {
    this.edge = edge;
    this.candidate = candidate;
    this.#questionsBefore = edge.views.questionsAsked;
    const token = candidate.presented?.token;
    const cell = token?.cell ?? (token && edge.keys.placeOf(token.tokenId));
    if (token && cell !== undefined) this.#place(token.tokenId, cell);
  }

  /** The cells this request is decided by. */
  get cells(): readonly number[] {
    return this.#cells;
  }

  /** Goes on as far as it can. `nowMs` is read for this step. */
  step(nowMs: number): Step {
    for (const cell of this.#cells) this.edge.views.use(cell, nowMs);
    const standing = this.usableViews(this.#matched(this.#tableAtHand()), nowMs);
    if (standing === "unreachable") return refuse({ reason: UNREACHABLE });
    const needs = this.#firstNeeds(nowMs);
    if ("kind" in standing) return { needs: [standing, ...needs] };
    return needs.length > 0 ? { needs } : this.#byViews(standing, nowMs);
  }

  /** KV has answered, or not. A tombstone is the truth whenever it was published. */
  recordRead({ value, seenStamp }: Published<KeyRecord>): void {
    const found = value && { record: value, trueAt: value.stamp };
    this.#recordCopy = { value: found, seenStamp };
    if (found?.record.state === "revoked") this.edge.keys.keep(found);
  }

  /** KV has answered, or not. */
  routesRead({ value, seenStamp }: Published<RouteTable>): void {
    this.#routesCopy = { value: value && { routes: compileRoutes(value), trueAt: value.stamp }, seenStamp };
  }

  /** The cell has answered, or could not be asked. */
  recordResolved(resolution: Resolution | undefined, nowMs: number): void {
    const tokenId = this.candidate.presented?.token.tokenId;
    if (!resolution || tokenId === undefined) return void (this.#recordResolves.hasFailed = true);
    this.#gotFurther();
    if (resolution.found) this.edge.keys.keep({ record: resolution.record, trueAt: resolution.record.stamp });
    else this.edge.keys.keepUnknown(tokenId, nowMs);
  }

  /** The directory has answered: the cell of an imported key, null for one that was never imported; or could not be asked. */
  located(cell: number | null | undefined, nowMs: number): void {
    const tokenId = this.candidate.presented?.token.tokenId;
    if (cell === undefined || tokenId === undefined) return void (this.#locates.hasFailed = true);
    this.#gotFurther();
    if (cell === null) this.edge.keys.keepUnknown(tokenId, nowMs);
    else {
      this.edge.keys.keepPlace(tokenId, cell);
      this.#place(tokenId, cell);
    }
  }

  /** The home cell has answered, or could not be asked. */
  routesResolved(table: RouteTable | undefined): void {
    if (!table) return void (this.#routesResolves.hasFailed = true);
    this.#gotFurther();
    this.edge.routes.keep(table);
  }

  #gotFurther(): void {
    this.#refreshes = new Tries(REFRESHES_MAX);
  }

  /** The views to decide by: live ones; or, where the ledger could not be asked and the route allows it, the latest there are. Or what to do for them. */
  protected usableViews(route: PreparedRoute | undefined, nowMs: number): Basis | Need | "unreachable" {
    const { views } = this.edge;
    const isSettled = route !== undefined && this.#lastingRefusal(route, nowMs) !== undefined;
    const maxAgeMs = isSettled ? Number.POSITIVE_INFINITY : freshnessMs(route);
    const freshness: Freshness = { maxAgeMs, questionsBefore: this.#questionsBefore };
    const held = this.#cells.map((cell) => views.view(cell));
    if (held.every((view) => views.isLive(view, freshness, nowMs))) return this.#basisOf(held, false, nowMs);
    const question = this.#nextQuestion(nowMs);
    if (question) return question;
    const staleMs = allowedStaleMs(route);
    const isRecent = (view: CellView | undefined): view is CellView =>
      view !== undefined && nowMs >= view.askedAtMs && nowMs - view.askedAtMs < staleMs;
    return held.every(isRecent) ? this.#basisOf(held, true, nowMs) : "unreachable";
  }

  /**
   * One question at a time: who comes while one is on its way waits for that, even if it was asked too early to vouch for this request, so
   * that the one after it serves all who wait. Undefined when one came to nothing, or there have been enough.
   */
  #nextQuestion(nowMs: number): Need | undefined {
    const { views } = this.edge;
    if (this.#questions && views.isUnanswered(this.#cells, this.#questions.first)) return undefined;
    const running = views.running(this.#cells, this.#questionsBefore, nowMs);
    const ordinal = running?.ordinal ?? views.questionsAsked + 1;
    if (ordinal !== this.#questions?.latest && !this.#refreshes.another()) return undefined;
    this.#questions = { first: this.#questions?.first ?? ordinal, latest: ordinal };
    if (!running) return { kind: "refresh" };
    const ms = (nowMs - running.askedAtMs) * LOOK_MS.shareOfElapsed;
    return { kind: "wait", ms: Math.min(Math.max(ms, LOOK_MS.least), LOOK_MS.most) };
  }

  /** What can be fetched while the views are refreshed. */
  #firstNeeds(nowMs: number): Need[] {
    const { keys, routes } = this.edge;
    const needs: Need[] = [];
    if (!routes.known && !this.#routesCopy) needs.push({ kind: "read_routes" });
    const tokenId = this.#placedToken?.tokenId;
    const isSought = tokenId !== undefined && !this.#recordCopy && !keys.known(tokenId) && !keys.isUnknown(tokenId, nowMs);
    if (isSought) needs.push({ kind: "read_record", tokenId });
    return needs;
  }

  #byViews(basis: Basis, nowMs: number): Step {
    const table = this.#currentTable();
    if (!table) return this.#resolveRoutes(basis, nowMs);
    const route = this.#matched(table);
    if (!route) return refuse({ reason: "no_route", basis });
    const reason = this.#lastingRefusal(route, nowMs);
    if (reason) return refuse({ reason, route, basis });
    const { presented } = this.candidate;
    const preflight = preflightFor(route, this.candidate);
    if (preflight) return { decision: { route, basis, preflight } };
    return presented ? this.#byRecord(presented, { route, basis }, nowMs) : { decision: { route, basis } };
  }

  /** Why a route refuses this request, whatever has been raised since: views within their lease are fresh enough to say so. */
  #lastingRefusal(route: PreparedRoute, nowMs: number): Reason | undefined {
    const { keys } = this.edge;
    const { presented } = this.candidate;
    const reason = routeRefusal(route, this.candidate);
    if (reason || !presented || preflightFor(route, this.candidate)) return reason;
    const { token } = presented;
    if (keys.isUnknown(token.tokenId, nowMs)) return "unknown_key";
    return keys.known(token.tokenId)?.record.state === "revoked" ? "revoked_key" : undefined;
  }

  #byRecord(presented: Presented, found: { readonly route: PreparedRoute; readonly basis: Basis }, nowMs: number): Step {
    const { token } = presented;
    const placed = this.#placedToken;
    if (!placed) return this.#locate(token, found);
    const record = this.currentRecord(placed);
    if (!record) {
      const need = this.#resolveRecord(placed);
      return need ? { needs: [need] } : refuse({ ...found, reason: UNREACHABLE });
    }
    const shown = { sha256: this.edge.sha256Hex(presented.text), clientAddress: this.candidate.clientAddress };
    const authorization = authorize(record, shown, found.route, nowMs);
    if (authorization.allowed && token.cell === null && !token.environments.has(authorization.record.environment))
      return refuse({ ...found, reason: "wrong_environment", record: authorization.record });
    if (authorization.allowed) return { decision: { route: found.route, basis: found.basis, record: authorization.record } };
    return refuse({ ...authorization, ...found, ...(record.state === "active" && { record }) });
  }

  /** The record as of the view, or undefined when it must be fetched from the cell. */
  protected currentRecord(token: PlacedToken): KeyRecord | undefined {
    const { keys, views } = this.edge;
    const known = keys.known(token.tokenId) ?? this.#recordCopy?.value;
    const window = views.view(token.cell)?.window;
    if (!known || !window) return undefined;
    if (known.record.state === "revoked") return known.record;
    const standing = known.trueAt === window.seq ? "current" : window.standing(subjectsOf(known.record), known.trueAt);
    switch (standing) {
      case "current":
        if (known.trueAt < window.seq || known === this.#recordCopy?.value)
          keys.keep({ record: known.record, trueAt: Math.max(known.trueAt, window.seq) });
        return known.record;
      case "revoked":
        return this.#buried(known, window.seq);
      case "superseded":
        return undefined;
    }
  }

  /** A record that a floor has killed. Where KV was what brought it up, the cell is asked all the same, so that KV is put right. */
  #buried(known: KnownRecord, seq: number): KeyRecord | undefined {
    const tombstone = { v: 1, state: "revoked", stamp: seq, token_id: known.record.token_id } as const;
    if (this.#recordCopy?.value === known && !this.#recordResolves.hasFailed) return undefined;
    this.edge.keys.keep({ record: tombstone, trueAt: seq });
    return tombstone;
  }

  #tableAtHand(): CompiledRoutes | undefined {
    return (this.edge.routes.known ?? this.#routesCopy?.value)?.routes;
  }

  /** The table, if the home cell's view says that it is in force. */
  #currentTable(): CompiledRoutes | undefined {
    const { routes, views } = this.edge;
    const known = routes.known ?? this.#routesCopy?.value;
    const window = views.view(HOME_CELL)?.window;
    if (!known || !window) return undefined;
    if (known.trueAt !== window.seq && window.standing(["routes"], known.trueAt) !== "current") return undefined;
    routes.confirm(known, window.seq);
    return known.routes;
  }

  /** Asks for the table, and, if that will be needed as well, for the record in the same breath. */
  #resolveRoutes(basis: Basis, nowMs: number): Step {
    if (!this.#routesResolves.another()) return refuse({ reason: UNREACHABLE, basis });
    const needs: Need[] = [{ kind: "resolve_routes", seenStamp: this.#routesCopy?.seenStamp }];
    const token = this.#placedToken;
    const isMissing = token !== undefined && !this.edge.keys.isUnknown(token.tokenId, nowMs) && !this.currentRecord(token);
    const need = isMissing ? this.#resolveRecord(token) : undefined;
    return { needs: need ? [...needs, need] : needs };
  }

  #locate(token: ParsedToken | ForeignToken, found: Found): Step {
    if (token.cell !== null || !this.#locates.another()) return refuse({ ...found, reason: UNREACHABLE });
    return { needs: [{ kind: "locate", tokenId: token.tokenId, directory: token.directory }] };
  }

  #place(tokenId: string, cell: number): void {
    this.#placedToken = { tokenId, cell };
    this.#cell = cell;
    this.#cells = cell === HOME_CELL ? [HOME_CELL] : [HOME_CELL, cell];
  }

  #resolveRecord(token: PlacedToken): Need | undefined {
    if (!this.#recordResolves.another()) return undefined;
    return { kind: "resolve_record", token, seenStamp: this.#recordCopy?.seenStamp };
  }

  #matched(table: CompiledRoutes | undefined): PreparedRoute | undefined {
    if (table && this.#match?.table !== table) this.#match = { table, route: routeOf(table, this.candidate) };
    return table && this.#match?.route;
  }

  #basisOf(views: readonly CellView[], stale: boolean, nowMs: number): Basis {
    let [seq, ageMs] = [0, 0];
    for (const view of views) {
      // The last one is that of the cell which speaks for the key.
      seq = view.window.seq;
      ageMs = Math.max(ageMs, nowMs - view.askedAtMs);
    }
    return { cell: this.#cell, seq, ageMs, stale };
  }
}

function refuse(decision: Refused): Step {
  return { decision };
}

/** A preflight goes by the route of the request that is to follow where that has `cors`; else it is an OPTIONS request like any other. */
function routeOf(table: CompiledRoutes, candidate: Candidate): PreparedRoute | undefined {
  const { preflight } = candidate;
  const following = preflight && matchRoute(table, { ...candidate, method: preflight.method });
  return following?.prepared.cors ? following : matchRoute(table, candidate);
}
