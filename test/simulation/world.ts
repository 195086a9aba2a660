/** The whole system in one process, in virtual time: regions, cells, replicas, isolates, KV, and what goes wrong with them. */
import type { Decision } from "../../core/edge/request.ts";
import { DEADLINES_MS, worstCaseOf, type Tunables } from "../../core/protocol/tunables.ts";
import { Random } from "../random.ts";
import { Coverage, type Situation } from "./coverage.ts";
import type { Exchange, Isolate } from "./edge-node.ts";
import { Engine } from "./engine.ts";
import { Kv } from "./kv.ts";
import { SIMULATED_REGIONS, type SimulatedRegion } from "./latency.ts";
import { LedgerNode, type Outcome } from "./ledger-node.ts";
import { LedgerState, type Command, type Receipt } from "./ledger-state.ts";
import type { Machines } from "./machines.ts";
import { Network, type Answer } from "./network.ts";
import { Oracle } from "./oracle.ts";
import { Process, type ClockFault } from "./process.ts";
import type { Profile } from "./profile.ts";
import { ReplicaNode } from "./replica-node.ts";
import { ALLOWED_STALE_S } from "./routes.ts";

const ROLES = new Map([
  ["member", ["read", "write"]],
  ["admin", ["read", "write", "admin"]],
]);
/** What may be added to a bound for the steps that take a moment: timers fire up to 2 ms late. */
const STEPS_MS = 20;
const MIRROR_SLACK_MS = 5_000;
/** How long a superseded instance goes on running. */
const AFTERLIFE_MS = 3_000;

export class World {
  readonly engine = new Engine();
  readonly random: Random;
  readonly coverage = new Coverage();
  readonly oracle = new Oracle();
  readonly network: Network;
  readonly profile: Profile;
  readonly machines: Machines;
  readonly tunables: Tunables;
  readonly floorsKeptMax: number;
  readonly mirrorDeadlineMs: number;
  readonly trace: ((line: string) => void) | undefined;
  readonly edges: Isolate[] = [];
  readonly #kvs = new Map<SimulatedRegion, Kv>();
  readonly #ledgers: { state: LedgerState; current: LedgerNode | undefined; former: LedgerNode | undefined }[] = [];
  readonly #replicas = new Map<string, { epoch: number; current: ReplicaNode | undefined; former: ReplicaNode | undefined }>();
  /** Calls that clients wait for. */
  readonly #client: Process;
  isChaotic = true;
  decisions = 0;

  constructor(seed: number, profile: Profile, machines: Machines, trace?: (line: string) => void) {
    this.random = new Random(seed);
    this.profile = profile;
    this.machines = machines;
    this.tunables = profile.tunables;
    this.floorsKeptMax = profile.floorsKeptMax;
    this.trace = trace && ((line) => trace(`${this.engine.nowMs.toFixed(1).padStart(9)}  ${line}`));
    this.mirrorDeadlineMs = worstCaseOf(this.tunables).revocationWithDeadReplicaMs + MIRROR_SLACK_MS;
    this.network = new Network(this.engine, this.random.fork(), this.coverage, profile.network);
    for (const region of SIMULATED_REGIONS) {
      this.#kvs.set(region, new Kv(this.engine, this.random.fork(), this.coverage, profile.kv));
      this.#replicas.set(`${region}-0`, { epoch: 0, current: undefined, former: undefined });
      this.startReplica(`${region}-0`);
    }
    this.#client = new Process(this.engine, "clients", "weur", this.#clock(), this.random.fork());
    for (let cell = 0; cell < profile.cells; cell += 1) {
      const state = new LedgerState(cell, ROLES, this.floorsKeptMax);
      this.#ledgers.push({ state, current: undefined, former: undefined });
    }
    for (let cell = 0; cell < profile.cells; cell += 1) this.startLedger(cell);
    for (let edge = 0; edge < profile.edges; edge += 1) this.#startEdge(edge);
    for (const region of SIMULATED_REGIONS) this.kvIn(region).put("routes", this.state(0).routes());
  }

  /** What a cell keeps. */
  state(cell: number): LedgerState {
    return this.#ledger(cell).state;
  }

  /** The cell that a key was made in, or null. */
  cellOf(key: string): number | null {
    for (let cell = 0; cell < this.profile.cells; cell += 1) if (this.state(cell).record(key)) return cell;
    return null;
  }

  /** All cells but the home cell. */
  otherCells(): number[] {
    return Array.from({ length: this.profile.cells - 1 }, (_, at) => at + 1);
  }

  kvIn(region: SimulatedRegion): Kv {
    return this.#kvs.get(region) as Kv;
  }

  /** Milliseconds until a cell reckons that no replica holds a lease, if it grants none. */
  untilNoLeaseMs(cell: number): number {
    return this.#ledger(cell).current?.untilNoLeaseMs ?? 0;
  }

  /** Whose turn it is to answer under a cell's address; for a while that may still be a superseded instance. */
  routeToLedger(cell: number): LedgerNode | undefined {
    const ledger = this.#ledger(cell);
    return ledger.former && !ledger.former.isOver && this.random.chance(0.3) ? ledger.former : ledger.current;
  }

  /** The same for a replica. */
  routeToReplica(name: string): ReplicaNode | undefined {
    const replica = this.#replicas.get(name);
    return replica?.former && !replica.former.isOver && this.random.chance(0.3) ? replica.former : replica?.current;
  }

  /** A request arrives at an isolate. */
  request(edge: number, key: string | null, cell: number, path: string, basic = false): void {
    const node = this.edges[edge];
    node?.deliver(() => node.receive(key, cell, path, basic));
  }

  /** A browser asks an isolate whether a page of this origin may send a request. */
  preflight(edge: number, origin: string, path: string): void {
    const node = this.edges[edge];
    node?.deliver(() => node.receive(null, 0, path, false, origin));
  }

  /** An isolate has decided. */
  decided(exchange: Exchange, decision: Decision): void {
    this.decisions += 1;
    const kind: Situation | undefined = "reason" in decision ? refusalSituation(decision.reason) : admissionSituation(decision);
    if (kind) this.coverage.hit(kind);
    this.trace?.(
      `${exchange.edge.name}: ${"reason" in decision ? decision.reason : "allowed"} ${exchange.key ?? "no key"} ${exchange.path}${decision.basis ? ` by entry ${decision.basis.seq}, age ${Math.round(decision.basis.ageMs)}` : ""}`,
    );
    const before = this.#arrivals.get(exchange) ?? this.#notice(exchange);
    this.oracle.judge(exchange, decision, before, this.engine.nowMs);
    this.#judgeStaleness(exchange, decision);
    if (!this.isChaotic && "reason" in decision && decision.reason === "ledger_unreachable" && this.engine.nowMs >= this.healedByMs)
      this.oracle.violated(
        "I5",
        this.engine.nowMs,
        `${exchange.edge.name} could not decide ${exchange.path} although everything has been in order for long enough`,
      );
  }

  /** From when on everything must be accepted again; set when chaos ends. */
  healedByMs = Number.POSITIVE_INFINITY;

  /** What had returned when a request arrived. */
  readonly #arrivals = new WeakMap<Exchange, { readonly key: number; readonly routes: number }>();

  /** Notes what has returned when a request arrives. */
  arrived(exchange: Exchange): void {
    this.#arrivals.set(exchange, this.#notice(exchange));
  }

  /** The truth has changed, by a command or by the home cell's catalogue. */
  committed(state: LedgerState, command: Command | undefined, commandId = ""): void {
    this.#onCommit.get(commandId)?.();
    this.#onCommit.delete(commandId);
    this.trace?.(`cell ${state.cell}: entry ${state.seq} ${command ? JSON.stringify(command) : "takes the catalogue"}`);
    this.oracle.committed(state);
    for (const key of state.keys.keys()) this.#publish(key, () => state.record(key));
    if (state.cell === 0) this.#publish("routes", () => state.routes());
  }

  /** A barrier holds: was it in time? */
  barrierHeld(node: LedgerNode, receipt: Receipt): void {
    for (const outcome of Object.values(receipt.replicas ?? {})) this.coverage.hit(`receipt: ${outcome}`);
    if (Object.keys(receipt.replicas ?? {}).length === 0) this.coverage.hit("receipt: no replica in the way");
    const tookMs = this.engine.nowMs - Math.max(receipt.committedAtMs, node.undisturbedSinceMs);
    this.trace?.(
      `cell ${node.state.cell}: entry ${receipt.seq} is in force after ${Math.round(tookMs)} ms ${JSON.stringify(receipt.replicas)}`,
    );
    this.latencies.push(this.engine.nowMs - receipt.committedAtMs);
    const boundMs = worstCaseOf(this.tunables).revocationWithDeadReplicaMs / (1 - this.tunables.clockDriftMax) + STEPS_MS;
    if (tookMs > boundMs)
      this.oracle.violated(
        "I4",
        this.engine.nowMs,
        `entry ${receipt.seq} of cell ${node.state.cell} took ${Math.round(tookMs)} ms to be in force; at most ${Math.round(boundMs)} ms are stated`,
      );
  }

  /** Milliseconds from commit to in force. */
  readonly latencies: number[] = [];

  readonly #onCommit = new Map<string, () => void>();
  readonly #onReturn = new Map<string, () => void>();

  /** Has something happen at the moment a command is carried out for the first time. */
  onCommit(commandId: string, then: () => void): void {
    this.#onCommit.set(commandId, then);
  }

  /** Has something happen at the moment a command's call returns for the first time. */
  onReturn(commandId: string, then: () => void): void {
    this.#onReturn.set(commandId, then);
  }

  /** A client asks for a change, again and again under the same id, until it is told that it is in force. */
  command(cell: number, commandId: string, command: Command, then: () => void): void {
    this.network.call(
      "command",
      this.#client,
      () => this.routeToLedger(cell),
      (callee, answer: Answer<Outcome>) => callee.execute(commandId, command, answer),
      this.mirrorDeadlineMs,
      (outcome) => {
        if (outcome) then();
        else this.#client.timer(50, () => this.command(cell, commandId, command, then));
      },
    );
  }

  /** Whether a ledger that has just committed dies before it has told anyone. */
  crashesAfterCommit(): boolean {
    return this.isChaotic && this.random.chance(this.profile.crashAfterCommit);
  }

  /** Ends a ledger's life; another begins later. */
  crashLedger(cell: number): void {
    const ledger = this.#ledger(cell);
    if (!ledger.current) return;
    this.trace?.(`cell ${cell}: crashes`);
    this.coverage.hit("ledger: crashed");
    ledger.current.die();
    ledger.current = undefined;
    this.engine.after(this.random.next() * 500, () => this.startLedger(cell));
  }

  startLedger(cell: number): void {
    const ledger = this.#ledger(cell);
    if (ledger.current) return;
    this.trace?.(`cell ${cell}: starts`);
    ledger.current = new LedgerNode(this, ledger.state, this.#clock());
  }

  /** Another instance takes a ledger's place while it goes on running. */
  supersedeLedger(cell: number): void {
    const ledger = this.#ledger(cell);
    const { current } = ledger;
    if (!current || ledger.former) return;
    this.trace?.(`cell ${cell}: superseded`);
    this.coverage.hit("ledger: superseded, still running");
    current.isSuperseded = true;
    ledger.former = current;
    ledger.current = undefined;
    this.startLedger(cell);
    this.engine.after(AFTERLIFE_MS, () => {
      current.die();
      ledger.former = undefined;
    });
  }

  pauseLedger(cell: number, ms: number): void {
    this.coverage.hit("ledger: paused");
    if (ms > DEADLINES_MS.lease) this.coverage.hit("ledger: hung for longer than any replica waits");
    this.#ledger(cell).current?.pause(ms);
  }

  crashReplica(name: string): void {
    const replica = this.#replicas.get(name);
    if (!replica?.current) return;
    this.trace?.(`${name}: crashes`);
    this.coverage.hit("replica: crashed");
    replica.current.die();
    replica.current = undefined;
    this.engine.after(this.random.next() * 1_500, () => this.startReplica(name));
  }

  startReplica(name: string): void {
    const replica = this.#replicas.get(name);
    if (!replica || replica.current) return;
    replica.epoch += 1;
    this.trace?.(`${name}: starts life ${replica.epoch}`);
    replica.current = new ReplicaNode(this, name.slice(0, -2) as SimulatedRegion, replica.epoch, this.#clock());
  }

  supersedeReplica(name: string): void {
    const replica = this.#replicas.get(name);
    const current = replica?.current;
    if (!replica || !current || replica.former) return;
    this.trace?.(`${name}: superseded`);
    this.coverage.hit("replica: superseded, still running");
    current.isSuperseded = true;
    replica.former = current;
    replica.current = undefined;
    this.startReplica(name);
    this.engine.after(AFTERLIFE_MS, () => {
      current.die();
      replica.former = undefined;
    });
  }

  pauseReplica(name: string, ms: number): void {
    this.coverage.hit("replica: paused");
    this.#replicas.get(name)?.current?.pause(ms);
  }

  /** An isolate is thrown away and another begins with nothing. */
  restartEdge(edge: number): void {
    this.coverage.hit("edge: started anew");
    this.edges[edge]?.die();
    this.#startEdge(edge);
  }

  pauseEdge(edge: number, ms: number): void {
    this.coverage.hit("edge: paused");
    this.edges[edge]?.pause(ms);
  }

  #startEdge(edge: number): void {
    const { edgeRegions } = this.profile;
    const region = edgeRegions[edge % edgeRegions.length] ?? "weur";
    this.edges[edge] = this.machines.isolate(this, `edge-${edge}`, region, this.#clock());
  }

  /** A clock within what the tunables assume; often at the very edge of that, where it hurts most. */
  #clock(): ClockFault {
    const { clockDriftMax, clockLagMs } = this.tunables;
    const extreme = this.random.chance(0.6) ? (this.random.chance(0.5) ? 1 : -1) : this.random.next() * 2 - 1;
    return { rate: 1 + extreme * clockDriftMax, offsetMs: this.random.between(0, 10_000_000), lagMaxMs: clockLagMs };
  }

  #notice(exchange: Exchange): { readonly key: number; readonly routes: number } {
    return { key: exchange.key === null ? 0 : this.oracle.since(exchange.key, exchange.cell), routes: this.oracle.returnedUpTo(0) };
  }

  /** Called at the moment a command's call returns: from then on it must be in force. The answer may still be lost. */
  returning(cell: number, commandId: string, command: Command, seq: number): void {
    this.trace?.(`returns: entry ${seq} of cell ${cell} ${command.type}`);
    this.#onReturn.get(commandId)?.();
    this.#onReturn.delete(commandId);
    if (command.type === "create") return this.oracle.made(command.key, seq);
    this.oracle.returned(cell, seq);
    if (command.type !== "set_role") return;
    for (const other of this.otherCells()) {
      const taken = this.state(other).taken.find(({ homeSeq }) => homeSeq >= seq);
      this.oracle.returned(other, taken?.seq ?? 0);
    }
  }

  #publish(name: string, value: () => unknown): void {
    for (const kv of this.#kvs.values()) this.engine.after(this.random.next() * this.profile.publishLagMsMax, () => kv.put(name, value()));
  }

  #judgeStaleness(exchange: Exchange, decision: Decision): void {
    if (decision.basis?.stale !== true) return;
    const isAllowed = exchange.path === "/stale" && decision.basis.ageMs <= ALLOWED_STALE_S * 1_000;
    if (!isAllowed)
      this.oracle.violated(
        "I1",
        this.engine.nowMs,
        `${exchange.edge.name} decided ${exchange.path} by knowledge of ${decision.basis.ageMs} ms of age`,
      );
  }

  #ledger(cell: number) {
    const ledger = this.#ledgers[cell];
    if (!ledger) throw new RangeError(`there is no cell ${cell}`);
    return ledger;
  }
}

function refusalSituation(reason: string): Situation | undefined {
  switch (reason) {
    case "unknown_key":
    case "revoked_key":
    case "insufficient_scope":
    case "ledger_unreachable":
      return `decision: ${reason}`;
    default:
      return undefined;
  }
}

function admissionSituation(decision: Decision): Situation {
  if (decision.basis?.stale === true) return "decision: allowed stale";
  return decision.route?.freshness === 0 ? "decision: allowed on a strict route" : "decision: allowed";
}
