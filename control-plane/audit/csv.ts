/**
 * The export for people and spreadsheets (RFC 4180). Every field is quoted, and one that a spreadsheet would take for a formula
 * begins with an apostrophe, so the fields are not exactly what the ledger has: what is to be verified is NDJSON.
 */
import type { AuditExportLine } from "../ledger/audit-view.ts";
import type { ExportFormat } from "./export.ts";

const COLUMNS = ["cell", "seq", "at", "actor_type", "actor_id", "type", "subject", "organizations", "payload", "hash"] as const;

/** What begins a formula, in any width, and what some programs skip before they look. */
const FORMULA = /^[\s\p{Cc}]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^\p{Cc}/u;

/** Comma-separated values with a header. An entry without content has empty fields, and its `type` says in brackets why. */
export const CSV: ExportFormat = {
  begin: () => record(COLUMNS),
  line: (line, { cell }) => record(fieldsOf(line, cell)),
  end: () => "",
  failure: null,
};

function fieldsOf(line: AuditExportLine, cell: number): readonly string[] {
  const { seq, hash } = line;
  if ("content" in line) return [`${cell}`, `${seq}`, "", "", "", `(${line.content})`, "", "", "", hash];
  const { at, actor, type, subject, organizations, payload } = line;
  return [`${cell}`, `${seq}`, at, actor.type, actor.id, type, subject, organizations.join(" "), JSON.stringify(payload), hash];
}

function record(fields: readonly string[]): string {
  return `${fields.map(quoted).join(",")}\r\n`;
}

function quoted(field: string): string {
  return `"${(FORMULA.test(field) ? `'${field}` : field).replaceAll('"', '""')}"`;
}
