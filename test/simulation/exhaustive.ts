/**
 * A small system, and everything that can happen in it: one primary, two replicas, two edges, two operations, one crash, one lost
 * message, in every order, up to a depth. States that are the same are visited once. Time is counted in whole steps and the same
 * for all: what drift does is the big simulation's business.
 *
 * A state is reached again by doing everything that led to it: machines need not be copied.
 */
import { hash } from "node:crypto";
import { KeyMemory } from "../../core/edge/key-memory.ts";
import type { Edge, EdgeRequest } from "../../core/edge/request.ts";
import { RouteMemory } from "../../core/edge/route-memory.ts";
import type { Refresh } from "../../core/protocol/edge-views.ts";
import type { Acknowledgement, LeaseGrant, Push, SyncAnswer } from "../../core/protocol/messages.ts";
import type { Primary, StoredHolder } from "../../core/protocol/primary.ts";
import type { Renewal, Replica } from "../../core/protocol/replica.ts";
import type { Tunables } from "../../core/protocol/tunables.ts";
import type { Machines } from "./machines.ts";
import { LedgerState, type Command } from "./ledger-state.ts";

const TUNABLES: Tunables = { edgeLeaseMs: 2, replicaLeaseMs: 4, clockDriftMax: 0, clockLagMs: 0, pushTimeoutMs: 1, pushRetryMs: 1 };
const REPLICAS = 2;
const FLOORS_KEPT = 16;
/** Steps of time in a run. */
const TICKS_MAX = 12;
const KEY = "key";
const OPERATIONS: readonly Command[] = [
  { type: "set_permissions", key: KEY, permissions: [] },
  { type: "revoke", key: KEY },
];

/** One thing that can happen next. */
interface Action {
  readonly says: string;
  run(): void;
}

/** A message on its way; it can be delivered or lost. */
interface Message {
  readonly says: string;
  readonly deliver: () => void;
  /** The caller learns that there will be no answer. */
  readonly fail: () => void;
}

/** What came of it. */
interface Exploration {
  readonly depth: number;
  readonly states: number;
  readonly transitions: number;
  /** What happened, step by step, before something did not hold. */
  readonly violation: readonly string[] | undefined;
}

/** Explores everything up to a depth. */
export function explore(depth: number, machines: Machines, tell: (depth: number, states: number) => void): Exploration {
  const seen = new Set<string>();
  let frontier: number[][] = [[]];
  let transitions = 0;
  for (let level = 0; level < depth; level += 1) {
    const next: number[][] = [];
    for (const path of frontier) {
      const choices = replay(path, machines).actions().length;
      for (let choice = 0; choice < choices; choice += 1) {
        const extended = [...path, choice];
        const system = replay(extended, machines);
        transitions += 1;
        if (system.violation !== undefined)
          return { depth: level + 1, states: seen.size, transitions, violation: [...system.history, system.violation] };
        const state = system.digest();
        if (seen.has(state)) continue;
        seen.add(state);
        next.push(extended);
      }
    }
    frontier = next;
    tell(level + 1, seen.size);
  }
  return { depth, states: seen.size, transitions, violation: undefined };
}

function replay(path: readonly number[], machines: Machines): System {
  const system = new System(machines);
  for (const choice of path) system.perform(choice);
  return system;
}

class System {
  readonly #machines: Machines;
  readonly history: string[] = [];
  violation: string | undefined;
  #now = 0;
  #canCrash = true;
  #canLose = true;
  #operationsBegun = 0;
  #hasReturned = false;
  readonly #state = new LedgerState(0, new Map(), FLOORS_KEPT);
  #primary: Primary;
  readonly #lives = Array.from({ length: REPLICAS }, () => 1);
  readonly #replicas: Replica[] = [];
  /** Edges' questions that wait for a lease, by replica. */
  #waiting: (() => void)[][] = [];
  readonly #renewing: boolean[] = [];
  readonly #edges: { readonly edge: Edge; isAsking: boolean }[] = [];
  readonly #messages: Message[] = [];

  constructor(machines: Machines) {
    this.#machines = machines;
    this.#state.execute("make", { type: "create", key: KEY, owner: { organization: "org" }, permissions: ["read"] }, 0);
    this.#primary = this.#startPrimary();
    for (let at = 0; at < REPLICAS; at += 1) {
      this.#replicas.push(machines.replica(`r${at}`, 1, FLOORS_KEPT));
      this.#waiting.push([]);
      this.#renewing.push(false);
      this.#edges.push({ edge: this.#edgeThatKnows(), isAsking: false });
    }
    // It begins with both edges at work: their replicas hold leases, and they decide from memory.
    for (let at = 0; at < REPLICAS; at += 1) this.#request(at);
    for (let message = this.#messages.shift(); message; message = this.#messages.shift()) message.deliver();
  }

  /** What can happen now. */
  actions(): Action[] {
    const actions: Action[] = this.#messages.map((message) => ({ says: `arrives: ${message.says}`, run: () => this.#arrive(message) }));
    if (this.#canLose)
      for (const message of this.#messages) actions.push({ says: `is lost: ${message.says}`, run: () => this.#lose(message) });
    if (this.#canCrash) {
      actions.push({ says: "the primary crashes", run: () => this.#crashPrimary() });
      for (let at = 0; at < REPLICAS; at += 1) actions.push({ says: `r${at} crashes`, run: () => this.#crashReplica(at) });
    }
    const operation = OPERATIONS[this.#operationsBegun];
    if (operation) actions.push({ says: `begins: ${operation.type}`, run: () => this.#begin(operation) });
    for (const [at, { isAsking }] of this.#edges.entries()) {
      if (!isAsking) actions.push({ says: `a request comes to e${at}`, run: () => this.#request(at) });
    }
    if (this.#now < TICKS_MAX) actions.push({ says: "time passes", run: () => this.#tick() });
    return actions;
  }

  perform(choice: number): void {
    const action = this.actions()[choice];
    if (!action) throw new RangeError("nothing of that kind can happen");
    this.history.push(action.says);
    action.run();
  }

  /** The same for states from which the same can happen. Times count from now; which replica and edge are called the first does not matter. */
  digest(): string {
    const { receipts, holders, seq } = this.#state;
    const { barriers, ...primary } = this.#primary.toJSON();
    const parts: unknown[] = [
      [seq, this.#canCrash, this.#canLose, this.#operationsBegun, this.#hasReturned, TICKS_MAX - this.#now],
      ...[...receipts.values()].map((receipt) => [receipt.seq, receipt.isInForce]),
      ...[...holders.values()].map((holder) => ["stored", holder]),
      ...primary.holders.map((holder) => ["holds", holder]),
      ...barriers.flatMap(({ seq: entry, edgesOverByMs, waiting, outcomes }) => [
        [entry, { edgesOverByMs }],
        ...waiting.map((each) => [entry, each]),
        ...outcomes.map((each) => [entry, each]),
      ]),
      ...this.#replicas.map((replica, at) => [`r${at}`, replica, this.#lives[at], this.#renewing[at], this.#waiting[at]?.length]),
      ...this.#edges.map(({ edge, isAsking }, at) => [`e${at}`, edge.views, isAsking, edge.keys.known(KEY), edge.routes.known?.trueAt]),
      ...this.#messages.map(({ says }) => says),
    ];
    const relative = (name: string, value: unknown) =>
      typeof value === "number" && name.endsWith("Ms") && !LENGTHS.has(name) ? value - this.#now : value;
    const texts = parts.map((part) => JSON.stringify(part, relative));
    const mirrored = texts.map((text) =>
      text.replaceAll(/\b([re])([01])\b/g, (_, kind: string, at: string) => kind + (at === "0" ? "1" : "0")),
    );
    const [one, other] = [texts.toSorted().join("\n"), mirrored.toSorted().join("\n")];
    return hash("md5", one < other ? one : other, "base64");
  }

  #startPrimary(): Primary {
    const storage = {
      saveHolder: (holder: StoredHolder) => void this.#state.holders.set(holder.replica, holder),
      forgetHolder: (replica: string) => void this.#state.holders.delete(replica),
      floorsSince: (seq: number | null) => this.#state.floorsSince(seq),
    };
    const primary = this.#machines.primary(0, TUNABLES, storage, [...this.#state.holders.values()], this.#now);
    for (const { seq } of this.#state.pending()) primary.committed(seq, this.#now);
    return primary;
  }

  /** An edge that has the records in memory, from before the operations. */
  #edgeThatKnows(): Edge {
    const edge = {
      views: this.#machines.edgeViews(FLOORS_KEPT),
      keys: new KeyMemory(1),
      routes: new RouteMemory(),
      sha256Hex: (text: string) => text,
    };
    const record = this.#state.record(KEY);
    if (record) edge.keys.keep({ record, trueAt: record.stamp });
    edge.routes.keep(this.#state.routes());
    return edge;
  }

  #arrive(message: Message): void {
    this.#messages.splice(this.#messages.indexOf(message), 1);
    message.deliver();
  }

  #lose(message: Message): void {
    this.#canLose = false;
    this.#messages.splice(this.#messages.indexOf(message), 1);
    message.fail();
  }

  #tick(): void {
    this.#now += 1;
    this.#drive();
  }

  #begin(operation: Command): void {
    this.#operationsBegun += 1;
    const { seq } = this.#state.execute(operation.type, operation, this.#now);
    this.#primary.committed(seq, this.#now);
    this.#drive();
  }

  #drive(): void {
    const primary = this.#primary;
    const { pushes, inForce } = primary.drain(this.#now);
    for (const { seq } of inForce) {
      const receipt = this.#state.receipts.get(seq);
      if (receipt) receipt.isInForce = true;
      this.#hasReturned = true;
    }
    for (const { replica, push } of pushes) {
      const answered = (acknowledgement: Acknowledgement | undefined) => {
        if (primary !== this.#primary) return;
        primary.pushed(replica, acknowledgement, this.#now);
        this.#drive();
      };
      this.#send(
        `push up to ${push.window.seq} to ${replica}`,
        () => this.#push(Number(replica.slice(1)), push, answered),
        () => answered(undefined),
      );
    }
  }

  #push(at: number, push: Push, answered: (acknowledgement: Acknowledgement | undefined) => void): void {
    const acknowledgement = this.#replicas[at]?.pushed(push);
    this.#send(
      `r${at} acknowledges ${JSON.stringify(acknowledgement)}`,
      () => answered(acknowledgement),
      () => answered(undefined),
    );
  }

  #request(at: number): void {
    const { edge } = this.#edges[at] ?? fail();
    const presented = { text: KEY, token: { environment: "live", cell: 0, tokenId: KEY }, place: "bearer" } as const;
    this.#advance(
      at,
      this.#machines.edgeRequest(edge, {
        method: "GET",
        host: "h",
        path: "/read",
        search: "",
        isHttps: true,
        clientAddress: () => null,
        presented,
      }),
    );
  }

  #advance(at: number, request: EdgeRequest): void {
    const place = this.#edges[at] ?? fail();
    const step = request.step(this.#now);
    if ("decision" in step) {
      place.isAsking = false;
      if (!("reason" in step.decision) && this.#hasReturned)
        this.violation = `e${at} accepts the key, although the call that took its permission has returned`;
      return;
    }
    const [need] = step.needs;
    if (need?.kind === "refresh") {
      place.isAsking = true;
      const refresh = place.edge.views.refresh(this.#now);
      const answered = (answer: SyncAnswer | undefined) => {
        place.edge.views.refreshed(refresh, answer, this.#now);
        this.#advance(at, request);
      };
      return this.#send(
        `e${at} asks its replica (${refresh.askedAtMs - this.#now})`,
        () => this.#sync(at, refresh, answered),
        () => answered(undefined),
      );
    }
    // The cell itself answers at once: what late fills do is the big simulation's business.
    if (need?.kind === "resolve_record") {
      const record = this.#state.record(KEY);
      request.recordResolved(record ? { found: true, record } : { found: false }, this.#now);
    } else request.routesResolved(this.#state.routes());
    this.#advance(at, request);
  }

  #sync(at: number, refresh: Refresh, answered: (answer: SyncAnswer | undefined) => void): void {
    const replica = this.#replicas[at] ?? fail();
    const answer = () => {
      // A life that is over answers nobody.
      const given = replica === this.#replicas[at] ? replica.answer(refresh.request, this.#now) : undefined;
      const says = `r${at} answers e${at} (${refresh.askedAtMs - this.#now}) ${JSON.stringify(given)}`;
      this.#send(
        says,
        () => answered(given),
        () => answered(undefined),
      );
    };
    if (replica.due(refresh.request, this.#now).waited.length === 0) return answer();
    this.#waiting[at]?.push(answer);
    if (!this.#renewing[at]) this.#renew(at, replica);
  }

  #renew(at: number, replica: Replica): void {
    this.#renewing[at] = true;
    const renewal = replica.renewal(0, this.#now);
    const answered = (grant: LeaseGrant | undefined) => {
      if (replica !== this.#replicas[at]) return;
      this.#renewing[at] = false;
      if (grant) replica.granted(renewal, grant, this.#now);
      const waiting = this.#waiting[at] ?? [];
      this.#waiting[at] = [];
      for (const each of waiting) each();
    };
    this.#send(
      `r${at} asks for a lease (${renewal.askedAtMs - this.#now})`,
      () => this.#grant(at, renewal, answered),
      () => answered(undefined),
    );
  }

  #grant(at: number, renewal: Renewal, answered: (grant: LeaseGrant | undefined) => void): void {
    const grant = this.#primary.grant(renewal.request, this.#now);
    this.#drive();
    const says = `grant to r${at} (${renewal.askedAtMs - this.#now}) ${JSON.stringify(grant)}`;
    this.#send(
      says,
      () => answered(grant),
      () => answered(undefined),
    );
  }

  #crashPrimary(): void {
    this.#canCrash = false;
    this.#primary = this.#startPrimary();
    this.#drive();
  }

  #crashReplica(at: number): void {
    this.#canCrash = false;
    this.#lives[at] = (this.#lives[at] ?? 0) + 1;
    this.#replicas[at] = this.#machines.replica(`r${at}`, this.#lives[at] ?? 0, FLOORS_KEPT);
    this.#renewing[at] = false;
    const waiting = this.#waiting[at] ?? [];
    this.#waiting[at] = [];
    for (const each of waiting) each();
  }

  #send(says: string, deliver: () => void, failed: () => void): void {
    this.#messages.push({ says, deliver, fail: failed });
  }
}

/** Names that end in "Ms" and are lengths, not times. */
const LENGTHS: ReadonlySet<string> = new Set(["leaseMs", "edgeLeaseMs"]);

function fail(): never {
  throw new RangeError("there is no such place");
}
