/** Who would lose something with a permission: by the same algebra that takes it from them. */
import { apiKeyViews } from "./api-keys.ts";
import { leftWithout, mentionOf, permissionSlugs } from "./catalogue.ts";
import type { EndingPreviewView } from "./view.ts";

/** Keys that are shown. */
const SHOWN_MAX = 10;

interface Holder extends Record<string, SqlStorageValue> {
  id: string;
  permissions: string;
  last_used_at_ms: number | null;
}

const KEYS = `SELECT k.id, k.permissions, (SELECT max(last_used_at_ms) FROM tokens WHERE key_id = k.id) AS last_used_at_ms
  FROM api_keys k JOIN organizations o ON o.id = k.organization_id WHERE k.revoked_seq IS NULL AND instr(k.permissions, ?) > 0`;
/** An organization's own role has another slug than any of the installation's. */
const MEMBERS = `SELECT m.id, r.permissions, NULL AS last_used_at_ms FROM memberships m JOIN organizations o ON o.id = m.organization_id
  JOIN (SELECT NULL AS organization_id, slug, permissions FROM roles UNION ALL SELECT organization_id, slug, permissions FROM organization_roles) r
    ON r.slug = m.role AND (r.organization_id IS NULL OR r.organization_id = m.organization_id)
  WHERE instr(r.permissions, ?) > 0`;

/** The keys of this cell that a permission would be taken from, and the members whose roles hold it. Read row by row, whatever their number. */
export function previewPermissionEnding(sql: SqlStorage, slug: string, recentlyMs: number): EndingPreviewView {
  const remaining = permissionSlugs(sql).filter((other) => other !== slug);
  const loses = ({ permissions }: Holder) => {
    const held = JSON.parse(permissions) as string[];
    return leftWithout(slug, held, remaining).length < held.length;
  };
  let memberships = 0;
  for (const member of sql.exec<Holder>(MEMBERS, mentionOf(slug))) memberships += Number(loses(member));
  let [total, used] = [0, 0];
  let first: readonly Holder[] = [];
  for (const key of sql.exec<Holder>(KEYS, mentionOf(slug))) {
    if (!loses(key)) continue;
    total++;
    used += Number((key.last_used_at_ms ?? 0) >= recentlyMs);
    first = [...first, key].toSorted(byLastUse).slice(0, SHOWN_MAX);
  }
  const places = new Map(first.map(({ id }, at) => [id, at]));
  const shown = apiKeyViews(sql, [...places.keys()]).toSorted((a, b) => (places.get(a.id) ?? 0) - (places.get(b.id) ?? 0));
  return { object: "ending_preview", memberships, api_keys: { total, used_in_last_hour: used, first: shown } };
}

/** Who was used last comes first, and who was made last. */
function byLastUse(one: Holder, other: Holder): number {
  return (other.last_used_at_ms ?? 0) - (one.last_used_at_ms ?? 0) || (one.id < other.id ? 1 : -1);
}
