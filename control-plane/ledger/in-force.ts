/**
 * When an entry is in force everywhere: the shell around {@link Primary}, with the receipts it earns. It sends the pushes, keeps
 * the time, and lets whoever changed something wait.
 *
 * Invariant: every entry that raised a floor has a receipt, written in the entry's own transaction; it is pending until the
 * barrier has held, over any number of restarts. Who waits, or goes away, changes nothing about that.
 */
import type { LeaseGrant, LeaseRequest, InForce, ReplicaOutcome } from "../../core/protocol/messages.ts";
import { Primary, type StoredHolder } from "../../core/protocol/primary.ts";
import type { Tunables } from "../../core/protocol/tunables.ts";
import { withDeadline } from "../../platform/deadline.ts";
import type { LedgerReplica } from "../ledger-replica.ts";
import { floorsSince } from "./floors.ts";
import { isoTime } from "./iso-time.ts";
import type { ReceiptView } from "./view.ts";

/** What of the home cell's doing every other cell must have taken before an entry is in force, as receipts keep it. */
const AWAITED = { nothing: 0, catalogue: 1, endedUsers: 2 } as const;
export type Awaited = keyof typeof AWAITED;

interface ReceiptRow extends Record<string, SqlStorageValue> {
  seq: number;
  committed_at_ms: number;
  awaits_cells: number;
  replicas: string | null;
  in_force_at_ms: number | null;
}

/** Milliseconds until what has failed is tried again. */
const RETRY_MS = 1_000;

/** What it works with. */
interface InForcePorts {
  readonly sql: SqlStorage;
  readonly replicas: DurableObjectNamespace<LedgerReplica>;
  readonly tunables: Tunables;
  readonly now: () => number;
}

/** One cell's watch over its entries until they are in force. */
export class InForceWatch {
  readonly #cell: number;
  readonly #ports: InForcePorts;
  readonly #primary: Primary;
  readonly #waiting = new Map<number, ((receipt: ReceiptView) => void)[]>();
  /** The same for those who do not wait for other cells. */
  readonly #waitingHere = new Map<number, (() => void)[]>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(cell: number, ports: InForcePorts) {
    const { sql, tunables, now } = ports;
    this.#cell = cell;
    this.#ports = ports;
    const storage = {
      saveHolder: (holder: StoredHolder) => saveHolder(sql, holder),
      forgetHolder: (replica: string) => void sql.exec("DELETE FROM lease_holders WHERE replica = ?", replica),
      floorsSince: (seq: number | null) => floorsSince(sql, seq),
    };
    this.#primary = new Primary(cell, tunables, storage, readHolders(sql), now());
    this.#resume();
  }

  /** A replica asks for a lease. */
  grant(request: LeaseRequest): LeaseGrant | undefined {
    const grant = this.#primary.grant(request, this.#ports.now());
    this.#drive();
    return grant;
  }

  /** An entry has been committed; if it raised floors, the replicas are told. */
  committed(seq: number): void {
    const [row] = this.#ports.sql.exec<ReceiptRow>("SELECT * FROM receipts WHERE seq = ?", seq).toArray();
    if (!row || row.replicas !== null) return;
    this.#primary.committed(seq, this.#ports.now());
    this.#drive();
  }

  /** The receipt of an entry that raised floors, or undefined. */
  receipt(seq: number): ReceiptView | undefined {
    const [row] = this.#ports.sql.exec<ReceiptRow>("SELECT * FROM receipts WHERE seq = ?", seq).toArray();
    return row && this.#view(row);
  }

  /** The receipt of an entry once it is in force; at once undefined for an entry that raised no floor. */
  async untilInForce(seq: number): Promise<ReceiptView | undefined> {
    const receipt = this.receipt(seq);
    if (!receipt || receipt.effective_at !== null) return receipt;
    return new Promise((resolve) => this.#waiting.set(seq, [...(this.#waiting.get(seq) ?? []), resolve]));
  }

  /** Until everything committed so far is in force as far as this cell is concerned. Other cells are not waited for: one of them may be away for long. */
  async untilAllInForceHere(): Promise<void> {
    const pending = this.#pending().filter(({ replicas }) => replicas === null);
    await Promise.all(
      pending.map(
        ({ seq }) => new Promise<void>((resolve) => this.#waitingHere.set(seq, [...(this.#waitingHere.get(seq) ?? []), resolve])),
      ),
    );
  }

  /** All other cells have taken what this cell changed of that kind up to an entry. */
  confirmedByCells(what: Awaited, upToSeq: number): void {
    this.#ports.sql.exec(
      "UPDATE receipts SET awaits_cells = 0 WHERE in_force_at_ms IS NULL AND awaits_cells = ? AND seq <= ?",
      AWAITED[what],
      upToSeq,
    );
    this.#settle();
  }

  /** Whether anything is pending: then the cell must be kept awake. */
  get hasPending(): boolean {
    return this.#pending().length > 0;
  }

  #pending(): ReceiptRow[] {
    return this.#ports.sql.exec<ReceiptRow>("SELECT * FROM receipts WHERE in_force_at_ms IS NULL ORDER BY seq").toArray();
  }

  /** Takes up everything that is not in force yet. */
  #resume(): void {
    this.#attempt(() => {
      for (const row of this.#pending()) if (row.replicas === null) this.#primary.committed(row.seq, this.#ports.now());
      this.#advance();
    });
  }

  /** After anything that may give the primary something to do. */
  #drive(): void {
    this.#attempt(() => this.#advance());
  }

  /** What fails is taken up again later: who waits for a receipt must not wait for ever, and a cell must start. */
  #attempt(work: () => void): void {
    clearTimeout(this.#timer);
    try {
      work();
    } catch (error) {
      console.log(JSON.stringify({ event: "in_force_failed", cell: this.#cell, reason: error instanceof Error ? error.name : "unknown" }));
      this.#timer = setTimeout(() => this.#resume(), RETRY_MS);
    }
  }

  /** Does what the primary says, and comes back when it wants to be asked again. */
  #advance(): void {
    const nowMs = this.#ports.now();
    const { pushes, inForce, wakeAtMs } = this.#primary.drain(nowMs);
    for (const { replica, push } of pushes) void this.#push(replica, push);
    for (const entry of inForce) this.#note(entry);
    if (inForce.length > 0) this.#settle();
    if (wakeAtMs !== null) this.#timer = setTimeout(() => this.#drive(), wakeAtMs - nowMs);
  }

  async #push(replica: string, push: Parameters<LedgerReplica["push"]>[0]): Promise<void> {
    const { replicas, tunables, now } = this.#ports;
    const answer = await withDeadline(replicas.getByName(replica).push(push), tunables.pushTimeoutMs).catch(() => undefined);
    this.#primary.pushed(replica, answer, now());
    this.#drive();
  }

  /** No edge decides without the entry any more, as far as this cell is concerned. */
  #note({ seq, replicas }: InForce): void {
    this.#ports.sql.exec("UPDATE receipts SET replicas = ? WHERE seq = ?", JSON.stringify(replicas), seq);
    for (const tell of this.#waitingHere.get(seq) ?? []) tell();
    this.#waitingHere.delete(seq);
  }

  /** Closes the receipts that want nothing more, and tells who waits. */
  #settle(): void {
    const { sql, now } = this.#ports;
    const held = sql
      .exec<ReceiptRow>("SELECT * FROM receipts WHERE in_force_at_ms IS NULL AND replicas IS NOT NULL AND awaits_cells = 0")
      .toArray();
    for (const row of held) {
      const closed = { ...row, in_force_at_ms: now() };
      sql.exec("UPDATE receipts SET in_force_at_ms = ? WHERE seq = ?", closed.in_force_at_ms, row.seq);
      for (const tell of this.#waiting.get(row.seq) ?? []) tell(this.#view(closed));
      this.#waiting.delete(row.seq);
    }
  }

  #view(row: ReceiptRow): ReceiptView {
    return {
      object: "receipt",
      id: `${this.#cell}-${row.seq}`,
      cell: this.#cell,
      seq: row.seq,
      committed_at: isoTime(row.committed_at_ms),
      effective_at: row.in_force_at_ms === null ? null : isoTime(row.in_force_at_ms),
      replicas: JSON.parse(row.replicas ?? "{}") as Record<string, ReplicaOutcome>,
    };
  }
}

/** Opens the receipt of an entry that raises floors. Only inside the entry's transaction. */
export function openReceipt(sql: SqlStorage, seq: number, committedAtMs: number, awaited: Awaited): void {
  sql.exec(
    `INSERT INTO receipts VALUES (?, ?, ?, NULL, NULL)
     ON CONFLICT (seq) DO UPDATE SET awaits_cells = max(awaits_cells, excluded.awaits_cells)`,
    seq,
    committedAtMs,
    AWAITED[awaited],
  );
}

/** Receipts forgotten at once. Each belongs to a command, of which no more are forgotten at once. */
const FORGOTTEN_AT_ONCE = 1_000;

/** Forgets receipts of entries older than this that are in force, so many at a time. */
export function forgetOldReceipts(sql: SqlStorage, olderThanMs: number): void {
  const old = "SELECT seq FROM receipts WHERE committed_at_ms <= ? AND in_force_at_ms IS NOT NULL ORDER BY committed_at_ms LIMIT ?";
  sql.exec(`DELETE FROM receipts WHERE seq IN (${old})`, olderThanMs, FORGOTTEN_AT_ONCE);
}

function saveHolder(sql: SqlStorage, { replica, epoch, leaseMs, edgeLeaseMs }: StoredHolder): void {
  sql.exec("INSERT OR REPLACE INTO lease_holders VALUES (?, ?, ?, ?)", replica, epoch, leaseMs, edgeLeaseMs);
}

function readHolders(sql: SqlStorage): StoredHolder[] {
  return sql
    .exec<{ replica: string; epoch: number; lease_ms: number; edge_lease_ms: number }>("SELECT * FROM lease_holders")
    .toArray()
    .map((row) => ({ replica: row.replica, epoch: row.epoch, leaseMs: row.lease_ms, edgeLeaseMs: row.edge_lease_ms }));
}
