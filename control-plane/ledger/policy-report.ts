/** The keys of an organization that its policy would not allow to be made as they are: those from before it was stricter. */
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import type { Slice, Walk } from "../../core/page.ts";
import { violationsOf } from "../../core/policy-judgement.ts";
import type { ApiKeyRow } from "./api-keys.ts";
import { policyOf } from "./key-policies.ts";
import { judged } from "./policy-enforcement.ts";
import type { NonCompliantKeyView } from "./view.ts";

/** Keys looked at for one page: few of many may be out of line, and nobody else is answered meanwhile. */
const LOOKED_AT_MAX = 1_000;

/** Those keys that have not ended, on a walk. It may stop early. */
export function nonCompliantKeys(sql: SqlStorage, organizationId: string, walk: Walk, nowMs: number): Slice<NonCompliantKeyView> {
  if (organizationId === PLATFORM_ORGANIZATION_ID) return { rows: [], behind: false };
  const { from, ascending, rows } = walk;
  const ahead = look(sql, organizationId, { ascending, from, inclusive: false }, rows, nowMs);
  if (from === undefined) return { ...ahead, behind: false };
  const behind = look(sql, organizationId, { ascending: !ascending, from, inclusive: true }, 1, nowMs);
  return { ...ahead, behind: behind.rows.length > 0 || behind.stoppedAt !== undefined };
}

interface Direction {
  readonly ascending: boolean;
  readonly from: string | undefined;
  readonly inclusive: boolean;
}

function look(
  sql: SqlStorage,
  organizationId: string,
  direction: Direction,
  limit: number,
  nowMs: number,
): Omit<Slice<NonCompliantKeyView>, "behind"> {
  const policy = policyOf(sql, organizationId);
  const found: NonCompliantKeyView[] = [];
  let lookedAt = 0;
  for (const key of keysFrom(sql, organizationId, direction)) {
    const hasEnded = key.expires_at_ms !== null && key.expires_at_ms <= nowMs;
    const violations = hasEnded ? [] : violationsOf(policy, judged(key));
    if (violations.length > 0) found.push(toNonCompliant(key, violations));
    if (found.length === limit) break;
    if (++lookedAt === LOOKED_AT_MAX) return { rows: found, stoppedAt: key.id };
  }
  return { rows: found };
}

/** Rows held in memory at once. */
const READ_AT_ONCE = 100;

/** An organization's keys from a position on: how many are read is decided by who looks. */
function* keysFrom(sql: SqlStorage, organizationId: string, direction: Direction): Generator<ApiKeyRow> {
  const [beyond, order] = direction.ascending ? [">", "ASC"] : ["<", "DESC"];
  for (let { from, inclusive } = direction; ;) {
    const position = from === undefined ? "" : `AND id ${beyond}${inclusive ? "=" : ""} ?`;
    const query = `SELECT * FROM api_keys WHERE organization_id = ? AND revoked_seq IS NULL ${position} ORDER BY id ${order} LIMIT ?`;
    const values = from === undefined ? [organizationId] : [organizationId, from];
    const keys = sql.exec<ApiKeyRow>(query, ...values, READ_AT_ONCE).toArray();
    yield* keys;
    const last = keys.at(-1);
    if (!last || keys.length < READ_AT_ONCE) return;
    [from, inclusive] = [last.id, false];
  }
}

function toNonCompliant(key: ApiKeyRow, violations: ReturnType<typeof violationsOf>): NonCompliantKeyView {
  const { id, name, organization_id, user_id } = key;
  const owner =
    user_id === null ? ({ type: "organization", id: organization_id } as const) : ({ type: "user", id: user_id, organization_id } as const);
  return {
    object: "non_compliant_api_key",
    id,
    name,
    owner,
    violations: violations.map(({ field, limit, message }) => ({ field, limit, message })),
  };
}
