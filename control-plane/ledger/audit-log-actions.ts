/** Actions of customers' own audit events and the schemas of each, in the home cell. A schema is never changed: the next one has the next version. */
import type { AuditEventSchema } from "../../core/audit/event-schema.ts";
import type { Slice, Walk } from "../../core/page.ts";
import type { Command } from "./command.ts";
import { isoTime } from "./iso-time.ts";
import { refuse, type Transaction } from "./transaction.ts";
import type { AuditLogActionView, AuditLogSchemaView } from "./audit-view.ts";
import { walkTable } from "./walk-table.ts";

const ACTIONS_MAX = 1_000;
const VERSIONS_MAX = 100;

interface SchemaRow extends Record<string, SqlStorageValue> {
  id: string;
  action: string;
  version: number;
  schema: string;
  created_at_ms: number;
}

interface ActionRow extends Record<string, SqlStorageValue> {
  id: string;
  name: string;
  schema_id: string;
  version: number;
  schema: string;
  schema_created_at_ms: number;
  created_at_ms: number;
  updated_at_ms: number;
}

/** Each action with its newest schema. */
const ACTIONS = `(SELECT a.id, a.name, a.version, a.created_at_ms, a.updated_at_ms, s.id AS schema_id, s.schema, s.created_at_ms AS schema_created_at_ms
  FROM audit_log_actions a JOIN audit_log_schemas s ON s.action = a.name AND s.version = a.version)`;

/** Gives an action its first schema, or its next one. */
export function createAuditLogSchema(
  transaction: Transaction,
  { id, action_id, action, schema }: Extract<Command, { type: "create_audit_log_schema" }>,
): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const version = (newestVersion(sql, action) ?? 0) + 1;
  if (version > VERSIONS_MAX) refuse("catalogue_limit", `The action has ${VERSIONS_MAX} schemas, which is the most there may be.`);
  const { actions } = sql.exec<{ actions: number }>("SELECT count(*) AS actions FROM audit_log_actions").one();
  if (version === 1 && actions >= ACTIONS_MAX)
    refuse("catalogue_limit", `There are ${ACTIONS_MAX} actions, which is the most there may be.`);
  transaction.append("audit_log_schema.created", id, { id, action, version, ...schema });
  sql.exec("INSERT INTO audit_log_schemas VALUES (?, ?, ?, ?, ?)", id, action, version, JSON.stringify(schema), nowMs);
  sql.exec(
    `INSERT INTO audit_log_actions VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET version = excluded.version, updated_at_ms = excluded.updated_at_ms`,
    action,
    action_id,
    version,
    nowMs,
    nowMs,
  );
  return { ...toSchema({ id, action, version, schema: JSON.stringify(schema), created_at_ms: nowMs }) };
}

/** A version of an action's schema; null for an action that has none, `unknown_version` for one that has others. */
export function auditLogSchema(sql: SqlStorage, action: string, version: number): AuditLogSchemaView | "unknown_version" | null {
  const [row] = sql.exec<SchemaRow>("SELECT * FROM audit_log_schemas WHERE action = ? AND version = ?", action, version).toArray();
  if (row) return toSchema(row);
  return newestVersion(sql, action) === undefined ? null : "unknown_version";
}

/** An action's schemas on a walk. */
export function auditLogSchemaSlice(sql: SqlStorage, action: string, walk: Walk): Slice<AuditLogSchemaView> {
  return walkTable<SchemaRow, AuditLogSchemaView>(sql, "audit_log_schemas", { action }, walk, toSchema);
}

/** Actions that have a schema, on a walk. */
export function auditLogActionSlice(sql: SqlStorage, walk: Walk): Slice<AuditLogActionView> {
  return walkTable<ActionRow, AuditLogActionView>(sql, ACTIONS, {}, walk, toAction);
}

function newestVersion(sql: SqlStorage, action: string): number | undefined {
  return sql.exec<{ version: number }>("SELECT version FROM audit_log_actions WHERE name = ?", action).toArray()[0]?.version;
}

function toSchema({ id, version, schema, created_at_ms }: SchemaRow): AuditLogSchemaView {
  return { object: "audit_log_schema", id, version, ...(JSON.parse(schema) as AuditEventSchema), created_at: isoTime(created_at_ms) };
}

function toAction({
  id,
  name,
  schema_id,
  version,
  schema,
  schema_created_at_ms,
  created_at_ms,
  updated_at_ms,
}: ActionRow): AuditLogActionView {
  return {
    object: "audit_log_action",
    id,
    name,
    schema: toSchema({ id: schema_id, action: name, version, schema, created_at_ms: schema_created_at_ms }),
    created_at: isoTime(created_at_ms),
    updated_at: isoTime(updated_at_ms),
  };
}
