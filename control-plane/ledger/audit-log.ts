/**
 * Reading the audit log of a cell: walks for lists, pages for exports. Every question is one walk over one index, so that it costs as
 * much as it answers, however long the log is.
 */
import { firstHash, type ChainName } from "../../core/audit/chain.ts";
import { auditId, placeOfAuditId, type AuditIdPrefix, type AuditPlace } from "../../core/audit/place.ts";
import type { Slice, Walk } from "../../core/page.ts";
import { isoTime } from "./iso-time.ts";
import { CHAIN_OF, droppedThrough, type ChainPosition, type EntryRow, type Journal } from "./journal.ts";
import type { AuditEntryView, AuditExportLine } from "./audit-view.ts";

/** What is asked for; times in ms since the epoch, both included. */
export interface AuditFilter {
  readonly actor_id?: string | undefined;
  readonly type?: string | undefined;
  readonly subject?: string | undefined;
  readonly from_ms?: number | undefined;
  readonly to_ms?: number | undefined;
}

/** Which links: all of a journal's, or those that concern an organization. */
export type AuditScope = { readonly journal: Journal } | { readonly organization_id: string };

/** A stretch of a chain: after a position, up to and including a seq. */
export interface AuditStretch {
  readonly after: ChainPosition;
  readonly through: number;
}

/** An entry with its hash in the chain that was asked for. */
type LinkedRow = EntryRow & { link: string };

/** Both bounds are outside. */
interface Bounds {
  readonly above: number;
  readonly below: number;
}

const ID_PREFIX: Readonly<Record<Journal, AuditIdPrefix>> = { entries: "audit_log_entry", denials: "audit_log_denial" };
/** Entries that a page of a list looks at: many may have lost their content one after the other. */
const LOOKED_AT_MAX = 1_000;
/** A page of an export ends at either. */
const EXPORT_ROWS = 250;
const EXPORT_CHARACTERS = 256 * 1024;

/** Entries on a walk whose content is there. */
export function auditSlice(sql: SqlStorage, cell: number, scope: AuditScope, filter: AuditFilter, walk: Walk): Slice<AuditEntryView> {
  const journal = journalOf(scope);
  const range = rangeOf(sql, journal, filter);
  const { beyond, behind } = boundsOf(sql, cell, journal, walk);
  const ahead = intersection(range, beyond);
  const found: AuditEntryView[] = [];
  let stoppedAt: string | undefined;
  let lookedAt = 0;
  for (const row of walkOver(sql, scope, filter, ahead, walk)) {
    const view = entryView(row, cell, journal);
    if (row.salt !== null) found.push(view);
    if (found.length === walk.rows) break;
    if (++lookedAt < LOOKED_AT_MAX) continue;
    stoppedAt = view.id;
    break;
  }
  const hasBehind = behind !== undefined && hasRowIn(sql, scope, filter, intersection(range, behind));
  return { rows: found, behind: hasBehind, ...(stoppedAt !== undefined && { stoppedAt }) };
}

/** Rows in walking order, as many read at once as are wanted: how many are taken is decided by who reads them. */
function* walkOver(
  sql: SqlStorage,
  scope: AuditScope,
  filter: AuditFilter,
  bounds: Bounds,
  { ascending, rows }: Walk,
): Generator<LinkedRow> {
  for (let left = bounds; ;) {
    let last: LinkedRow | undefined;
    let read = 0;
    for (const row of rowsIn(sql, scope, filter, left, { ascending, limit: rows })) {
      yield (last = row);
      read += 1;
    }
    if (!last || read < rows) return;
    left = ascending ? { ...left, above: last.seq } : { ...left, below: last.seq };
  }
}

/** What of a chain lies in a range of time and after a seq, as of now; undefined where the cell has no such chain. */
export function auditStretch(
  sql: SqlStorage,
  scope: AuditScope,
  range: Pick<AuditFilter, "from_ms" | "to_ms">,
  afterSeq: number,
): AuditStretch | undefined {
  const journal = journalOf(scope);
  const { above, below } = rangeOf(sql, journal, range);
  const last = lastLinkAt(sql, scope, below - 1);
  if (!last && "organization_id" in scope && !lastLinkAt(sql, scope, Number.MAX_SAFE_INTEGER - 1)) return undefined;
  const after = lastLinkAt(sql, scope, Math.max(above, afterSeq)) ?? { seq: 0, hash: firstHash(chainOf(scope)) };
  return { after, through: Math.max(after.seq, last?.seq ?? 0) };
}

/** The next lines of an export after a seq: some hundred, or fewer when they are long; none at the end. */
export function auditExportPage(sql: SqlStorage, scope: AuditScope, afterSeq: number, through: number): AuditExportLine[] {
  const forOneOrganization = "organization_id" in scope;
  const dropped = droppedThrough(sql, journalOf(scope));
  const lines: AuditExportLine[] = [];
  let characters = 0;
  for (const row of rowsIn(sql, scope, {}, { above: afterSeq, below: through + 1 }, { ascending: true, limit: EXPORT_ROWS })) {
    lines.push(exportLine(row, { dropped, forOneOrganization }));
    characters += row.payload.length;
    if (characters >= EXPORT_CHARACTERS) break;
  }
  return lines;
}

/** The name of the chain that a scope's links make up. */
export function chainOf(scope: AuditScope): ChainName {
  return "journal" in scope ? CHAIN_OF[scope.journal] : `organization ${scope.organization_id}`;
}

function journalOf(scope: AuditScope): Journal {
  return "journal" in scope ? scope.journal : "entries";
}

/** A range of time as seqs. */
function rangeOf(sql: SqlStorage, journal: Journal, { from_ms, to_ms }: Pick<AuditFilter, "from_ms" | "to_ms">): Bounds {
  return {
    above: from_ms === undefined ? 0 : lastSeqAt(sql, journal, from_ms - 1),
    below: to_ms === undefined ? Number.MAX_SAFE_INTEGER : lastSeqAt(sql, journal, to_ms) + 1,
  };
}

/** What is beyond a walk's start and, if it has one, what is at or behind it, in this cell's own seqs. What was dropped is on neither side. */
function boundsOf(
  sql: SqlStorage,
  cell: number,
  journal: Journal,
  { ascending, from }: Walk,
): { readonly beyond: Bounds; readonly behind?: Bounds } {
  const kept = { above: droppedThrough(sql, journal), below: Number.MAX_SAFE_INTEGER };
  const place = from === undefined ? undefined : placeOfAuditId(ID_PREFIX[journal], from);
  if (!place) return { beyond: kept };
  const [lastBefore, firstAfter] = around(sql, cell, journal, place);
  const bounds = ascending
    ? { beyond: { above: firstAfter - 1, below: kept.below }, behind: { above: kept.above, below: firstAfter } }
    : { beyond: { above: kept.above, below: lastBefore + 1 }, behind: { above: lastBefore, below: kept.below } };
  return { beyond: intersection(kept, bounds.beyond), behind: intersection(kept, bounds.behind) };
}

/** This cell's last entry before a place and its first one after it, in the order of all cells' entries; between them is at most the place itself. */
function around(sql: SqlStorage, cell: number, journal: Journal, place: AuditPlace): [lastBefore: number, firstAfter: number] {
  if (cell === place.cell) return [place.seq - 1, place.seq + 1];
  const last = lastSeqAt(sql, journal, cell < place.cell ? place.atMs : place.atMs - 1);
  return [last, last + 1];
}

function intersection(one: Bounds, other: Bounds): Bounds {
  return { above: Math.max(one.above, other.above), below: Math.min(one.below, other.below) };
}

/** The last entry up to a time, 0 for none. */
function lastSeqAt(sql: SqlStorage, journal: Journal, atMs: number): number {
  const query = `SELECT seq FROM ${journal} WHERE at_ms <= ? ORDER BY at_ms DESC, seq DESC LIMIT 1`;
  return sql.exec<{ seq: number }>(query, atMs).toArray()[0]?.seq ?? 0;
}

/** The last link of a chain up to a seq. */
function lastLinkAt(sql: SqlStorage, scope: AuditScope, seq: number): ChainPosition | undefined {
  const { table, conditions, values } = placesOf(scope, {}, { above: 0, below: seq + 1 });
  const query = `SELECT seq, hash FROM ${table} WHERE ${conditions} ORDER BY seq DESC LIMIT 1`;
  return sql.exec<{ seq: number; hash: string }>(query, ...values).toArray()[0];
}

/** The entries' rows one at a time: how many are taken is decided by who reads them. */
function* rowsIn(
  sql: SqlStorage,
  scope: AuditScope,
  filter: Omit<AuditFilter, "from_ms" | "to_ms">,
  bounds: Bounds,
  { ascending, limit }: { readonly ascending: boolean; readonly limit: number },
): Generator<LinkedRow> {
  const { table, conditions, values } = placesOf(scope, filter, bounds);
  const query = `SELECT seq, hash FROM ${table} WHERE ${conditions} ORDER BY seq ${ascending ? "ASC" : "DESC"} LIMIT ?`;
  const links = sql.exec<{ seq: number; hash: string }>(query, ...values, limit).toArray();
  for (const { seq, hash } of links)
    yield { ...sql.exec<EntryRow>(`SELECT * FROM ${journalOf(scope)} WHERE seq = ?`, seq).one(), link: hash };
}

function hasRowIn(sql: SqlStorage, scope: AuditScope, filter: AuditFilter, bounds: Bounds): boolean {
  const { table, conditions, values } = placesOf(scope, filter, bounds);
  return sql.exec(`SELECT 1 FROM ${table} WHERE ${conditions} LIMIT 1`, ...values).toArray().length > 0;
}

/** Where the places of a scope are kept, with the index to walk, and what narrows them. Names come from code, values are bound. */
function placesOf(scope: AuditScope, { actor_id, type, subject }: AuditFilter, { above, below }: Bounds) {
  const columns = { ...("organization_id" in scope && { organization_id: scope.organization_id }), actor_id, type, subject };
  const wanted = Object.entries(columns).filter((column): column is [string, string] => column[1] !== undefined);
  const table = "journal" in scope ? scope.journal : "entry_organizations";
  const index = indexFor({ actor_id, type, subject });
  return {
    table: index === undefined ? table : `${table} INDEXED BY ${table}_by_${index}`,
    conditions: [...wanted.map(([column]) => `${column} = ?`), "seq > ?", "seq < ?"].join(" AND "),
    values: [...wanted.map(([, value]) => value), above, below],
  };
}

/** SQLite would rather walk the primary key, past whatever does not match. A subject alone is narrow: little is about one thing. */
function indexFor({ actor_id, type, subject }: AuditFilter): string | undefined {
  if (subject !== undefined) return "subject";
  if (actor_id !== undefined) return type === undefined ? "actor" : "actor_and_type";
  return type === undefined ? undefined : "type";
}

function entryView(row: LinkedRow, cell: number, journal: Journal): AuditEntryView {
  const { seq, at_ms, actor_type, actor_id, type, subject, organizations, payload, link } = row;
  return {
    object: ID_PREFIX[journal],
    id: auditId(ID_PREFIX[journal], { atMs: at_ms, cell, seq }),
    cell,
    seq,
    at: isoTime(at_ms),
    actor: { type: actor_type, id: actor_id },
    type,
    subject,
    organizations: JSON.parse(organizations) as string[],
    payload: JSON.parse(payload) as Record<string, unknown>,
    hash: link,
  };
}

/** Who is given the log of one organization is not told of others: of an entry that concerns several there is only the link. */
function exportLine(
  row: LinkedRow,
  { dropped, forOneOrganization }: { readonly dropped: number; readonly forOneOrganization: boolean },
): AuditExportLine {
  const { seq, digest, link: hash, salt } = row;
  if (salt === null) return { seq, content: seq <= dropped ? "dropped" : "expired", digest, hash };
  const organizations = JSON.parse(row.organizations) as string[];
  if (forOneOrganization && organizations.length > 1) return { seq, content: "withheld", digest, hash };
  const { at_ms, actor_type, actor_id, type, subject } = row;
  const actor = { type: actor_type, id: actor_id };
  const payload = JSON.parse(row.payload) as Record<string, unknown>;
  return { seq, at: isoTime(at_ms), actor, type, subject, organizations, payload, salt, hash };
}
