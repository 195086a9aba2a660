/** What would end, or lose what it can do, with an organization, a user, a membership or a role: looked at before it is done. */
import { apiKeyView } from "./api-keys.ts";
import type { RoleName } from "./command.ts";
import { previewPermissionEnding } from "./permission-preview.ts";
import type { EndingPreviewView } from "./view.ts";

/** Whose end is looked at. */
export type Ending =
  | { readonly type: "organization"; readonly id: string }
  | { readonly type: "user"; readonly id: string }
  | { readonly type: "membership"; readonly id: string }
  | ({ readonly type: "role" } & RoleName)
  | { readonly type: "permission"; readonly slug: string };

/** What ends with rows that SQL can tell. */
type RowsEnding = Exclude<Ending, { type: "permission" }>;

/** Keys that a preview shows. */
const PREVIEWED_KEYS_MAX = 10;
const HOUR_MS = 3_600_000;

/** When a key was used last, as SQL over `api_keys k`. */
const LAST_USED = "(SELECT max(last_used_at_ms) FROM tokens WHERE key_id = k.id)";

/** What the end would take with it in this cell. Keys that were used last are shown first. */
export function previewEnding(sql: SqlStorage, ending: Ending, nowMs: number): EndingPreviewView {
  if (ending.type === "permission") return previewPermissionEnding(sql, ending.slug, nowMs - HOUR_MS);
  const members = membersOf(ending);
  const keys = keysOf(ending);
  const { memberships } = sql.exec<{ memberships: number }>(`SELECT count(*) AS memberships ${members.sql}`, ...members.values).one();
  const { total, used } = sql
    .exec<{ total: number; used: number }>(
      `SELECT count(*) AS total, count(*) FILTER (WHERE ${LAST_USED} >= ?) AS used ${keys.sql}`,
      nowMs - HOUR_MS,
      ...keys.values,
    )
    .one();
  const first = sql
    .exec<{ id: string }>(`SELECT k.id ${keys.sql} ORDER BY ${LAST_USED} DESC, k.id DESC LIMIT ?`, ...keys.values, PREVIEWED_KEYS_MAX)
    .toArray()
    .map(({ id }) => apiKeyView(sql, id))
    .filter((key) => key !== null);
  return { object: "ending_preview", memberships, api_keys: { total, used_in_last_hour: used, first } };
}

/** What the cells' previews come to together. */
export function sumOfPreviews(parts: readonly EndingPreviewView[]): EndingPreviewView {
  const sum = (number: (part: EndingPreviewView) => number) => parts.reduce((total, part) => total + number(part), 0);
  const first = parts
    .flatMap((part) => part.api_keys.first)
    .toSorted((a, b) => compare(b.last_used_at ?? "", a.last_used_at ?? "") || compare(b.id, a.id));
  return {
    object: "ending_preview",
    memberships: sum((part) => part.memberships),
    api_keys: {
      total: sum((part) => part.api_keys.total),
      used_in_last_hour: sum((part) => part.api_keys.used_in_last_hour),
      first: first.slice(0, PREVIEWED_KEYS_MAX),
    },
  };
}

/** The rest of a query after its columns. */
interface From {
  readonly sql: string;
  readonly values: readonly string[];
}

const MEMBERS = "FROM memberships m JOIN organizations o ON o.id = m.organization_id";
const LIVE = "k.revoked_seq IS NULL";

function membersOf(ending: RowsEnding): From {
  switch (ending.type) {
    case "organization":
      return { sql: `${MEMBERS} WHERE m.organization_id = ?`, values: [ending.id] };
    case "user":
      return { sql: `${MEMBERS} WHERE m.user_id = ?`, values: [ending.id] };
    case "membership":
      return { sql: `${MEMBERS} WHERE m.id = ?`, values: [ending.id] };
    case "role":
      return ending.organization_id === undefined
        ? { sql: `${MEMBERS} WHERE m.role = ?`, values: [ending.slug] }
        : { sql: `${MEMBERS} WHERE m.role = ? AND m.organization_id = ?`, values: [ending.slug, ending.organization_id] };
  }
}

/** An organization's end takes all its keys; any other end, those of the members it concerns. */
function keysOf(ending: RowsEnding): From {
  if (ending.type === "organization") return { sql: `FROM api_keys k WHERE k.organization_id = ? AND ${LIVE}`, values: [ending.id] };
  const members = membersOf(ending);
  const owned = `k.owner_type = 'user' AND k.user_id = m.user_id AND k.organization_id = m.organization_id AND ${LIVE}`;
  return { sql: members.sql.replace(MEMBERS, `${MEMBERS} JOIN api_keys k ON ${owned}`), values: members.values };
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}
