/**
 * The LedgerReplica Durable Object: one per region and slot, near the edges it answers. A thin shell around {@link Replica}: all
 * it knows is in memory; a new life begins with nothing.
 *
 * An instance that has been superseded may still be running. So every event that answers from memory reads storage first, which
 * throws in such an instance: what it knew is then no longer told to anyone.
 */
import { DurableObject } from "cloudflare:workers";
import type { Acknowledgement, Push, SyncAnswer, SyncRequest } from "../core/protocol/messages.ts";
import { DEADLINES_MS } from "../core/protocol/tunables.ts";
import { Replica } from "../core/protocol/replica.ts";
import { withDeadline } from "../platform/deadline.ts";
import { CellProbe } from "./cell-probe.ts";
import { cellName } from "./ledger/cell-name.ts";
import type { Ledger } from "./ledger/ledger.ts";

/** Bindings a replica needs. */
interface LedgerReplicaEnv {
  readonly LEDGER: DurableObjectNamespace<Ledger>;
}

/** How often a question waits for leases before it is answered with what there is. */
const RENEWAL_ROUNDS = 2;

/** One replica. */
export class LedgerReplica extends DurableObject<LedgerReplicaEnv> {
  readonly #sql: SqlStorage;
  readonly #replica: Replica;
  /** Leases that are being asked for, by cell: one question at a time, whoever waits for it. */
  readonly #renewals = new Map<number, Promise<void>>();
  readonly #probe: CellProbe;

  constructor(ctx: DurableObjectState, env: LedgerReplicaEnv) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS life (only INTEGER PRIMARY KEY CHECK (only = 1), epoch INTEGER NOT NULL) STRICT");
    this.#sql.exec("INSERT INTO life VALUES (1, 1) ON CONFLICT (only) DO UPDATE SET epoch = epoch + 1");
    // The cells push to whoever has the name. An object without one would be told nothing, while another answered for it.
    if (ctx.id.name === undefined) throw new Error("a replica is reached by its name only");
    this.#replica = new Replica(ctx.id.name, this.#epoch());
    this.#probe = new CellProbe((cell) => env.LEDGER.getByName(cellName(cell)).standing(), Date.now);
  }

  /** Tells an edge what it may decide by. Cells whose lease has run out are asked first; the others' are renewed meanwhile. */
  async sync(request: SyncRequest): Promise<SyncAnswer> {
    // Again, because a lease that was only aging may run out while another one is waited for.
    for (let round = 0; round < RENEWAL_ROUNDS; round += 1) {
      const { waited, waitMs, meanwhile } = this.#replica.due(request, Date.now());
      for (const cell of [...waited, ...meanwhile]) this.ctx.waitUntil(this.#renew(cell));
      if (waited.length === 0) break;
      // What has come by then is told; what comes later serves the next question.
      await withDeadline(Promise.all(waited.map((cell) => this.#renew(cell))), waitMs).catch(() => {});
    }
    this.#epoch();
    return this.#replica.answer(request, Date.now());
  }

  /** Which of the cells answer. What it knows of them plays no part. */
  async probe(cells: readonly number[]): Promise<readonly number[]> {
    const answers = await Promise.all(cells.map((cell) => this.#probe.answers(cell)));
    return cells.filter((_, at) => answers[at]);
  }

  /** Takes in floors that a cell has raised. */
  async push(push: Push): Promise<Acknowledgement> {
    this.#epoch();
    return this.#replica.pushed(push);
  }

  /** Asks a cell for a lease; gives up in silence, for then there is none. */
  #renew(cell: number): Promise<void> {
    const running = this.#renewals.get(cell);
    if (running) return running;
    const renewal = this.#askForLease(cell).finally(() => this.#renewals.delete(cell));
    this.#renewals.set(cell, renewal);
    return renewal;
  }

  async #askForLease(cell: number): Promise<void> {
    const renewal = this.#replica.renewal(cell, Date.now());
    try {
      const grant = await withDeadline(this.env.LEDGER.getByName(cellName(cell)).grantLease(renewal.request), DEADLINES_MS.lease);
      if (grant) this.#replica.granted(renewal, grant, Date.now());
    } catch (error) {
      console.log(JSON.stringify({ event: "lease_not_granted", cell, reason: error instanceof Error ? error.name : "unknown" }));
    }
  }

  /** Reads storage: throws in an instance that has been superseded. */
  #epoch(): number {
    return this.#sql.exec<{ epoch: number }>("SELECT epoch FROM life").one().epoch;
  }
}
