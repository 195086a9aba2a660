/** What a dispatcher knows of its endpoint: the settings, when it last accepted something, and whether it has been given up. */
import type { EndpointSettings } from "./contract.ts";

/** Why an endpoint is given up. */
type GivenUp = "gone" | "sustained_failure";

interface StateRow extends Record<string, SqlStorageValue> {
  settings: string;
  last_success_at_ms: number | null;
  given_up: GivenUp | null;
  report_at_ms: number;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS endpoint (
    only INTEGER PRIMARY KEY CHECK (only = 1), version INTEGER NOT NULL, settings TEXT NOT NULL,
    last_success_at_ms INTEGER, given_up TEXT, report_at_ms INTEGER NOT NULL DEFAULT 0
  ) STRICT;`;

/** An endpoint's state. */
export class EndpointState {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec(SCHEMA);
  }

  /** The settings last taken. */
  get settings(): EndpointSettings | undefined {
    const row = this.#row();
    return row && (JSON.parse(row.settings) as EndpointSettings);
  }

  /** Whether the endpoint is to be sent anything. */
  get isSending(): boolean {
    return this.settings?.status === "enabled" && this.givenUp === null;
  }

  /** Why it has been given up, while the home cell has not confirmed that. */
  get givenUp(): GivenUp | null {
    return this.#row()?.given_up ?? null;
  }

  /** When it last accepted an event, ms since the epoch. */
  get lastSuccessAtMs(): number | null {
    return this.#row()?.last_success_at_ms ?? null;
  }

  /** Takes settings that are newer than those it has; whether they were. */
  take(settings: EndpointSettings): boolean {
    const taken = this.#sql.exec(
      `INSERT INTO endpoint (only, version, settings) VALUES (1, ?, ?)
       ON CONFLICT DO UPDATE SET version = excluded.version, settings = excluded.settings, given_up = NULL WHERE excluded.version > version`,
      settings.version,
      JSON.stringify(settings),
    );
    return taken.rowsWritten > 0;
  }

  /** It has accepted an event. */
  accepted(atMs: number): void {
    this.#sql.exec("UPDATE endpoint SET last_success_at_ms = max(ifnull(last_success_at_ms, 0), ?)", atMs);
  }

  /** Nothing is sent any more; the home cell is to be told. */
  giveUp(reason: GivenUp): void {
    this.#sql.exec("UPDATE endpoint SET given_up = ?, report_at_ms = 0", reason);
  }

  /** The home cell knows. Until its new settings come, the old ones count as disabled. */
  reported(version: number): void {
    const { settings } = this;
    if (settings?.version !== version) return;
    this.#sql.exec("UPDATE endpoint SET given_up = NULL, settings = ?", JSON.stringify({ ...settings, status: "disabled" }));
  }

  /** The home cell did not answer. */
  reportAgainAt(atMs: number): void {
    this.#sql.exec("UPDATE endpoint SET report_at_ms = ?", atMs);
  }

  /** When the home cell is to be told, or null. */
  nextReportAtMs(): number | null {
    const row = this.#row();
    return row === undefined || row.given_up === null ? null : row.report_at_ms;
  }

  #row(): StateRow | undefined {
    return this.#sql.exec<StateRow>("SELECT settings, last_success_at_ms, given_up, report_at_ms FROM endpoint").toArray()[0];
  }
}
