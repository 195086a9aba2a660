/** What a key carries besides its name and its rights: metadata, tags, allowed networks. Only networks are part of its record. */
import type { KeyAttributes } from "./command.ts";

/** A change of attributes: what they are now and what those that change were before, both as entries tell it. */
interface AttributeChange {
  readonly present: KeyAttributes;
  readonly previous: KeyAttributes;
}

/** The attributes of a key that has them, as stored. */
export function attributesOf(sql: SqlStorage, keyId: string): Required<KeyAttributes> {
  const { metadata, allowed_networks } = sql
    .exec<{ metadata: string; allowed_networks: string | null }>("SELECT metadata, allowed_networks FROM api_keys WHERE id = ?", keyId)
    .one();
  return {
    metadata: parse(metadata),
    tags: tagsOf(sql, keyId),
    allowed_networks: allowed_networks === null ? null : parse(allowed_networks),
  };
}

/** Writes the attributes that are given. Only inside the transaction of the entry that tells of it. */
export function writeAttributes(sql: SqlStorage, keyId: string, { metadata, tags, allowed_networks }: KeyAttributes): void {
  if (metadata) sql.exec("UPDATE api_keys SET metadata = ? WHERE id = ?", JSON.stringify(metadata), keyId);
  if (allowed_networks !== undefined)
    sql.exec("UPDATE api_keys SET allowed_networks = ? WHERE id = ?", allowed_networks && JSON.stringify(allowed_networks), keyId);
  if (!tags) return;
  sql.exec("DELETE FROM api_key_tags WHERE key_id = ?", keyId);
  for (const tag of new Set(tags)) sql.exec("INSERT INTO api_key_tags VALUES (?, ?)", tag, keyId);
}

/** What a change of attributes comes to, for its entry. */
export function attributeChange(sql: SqlStorage, keyId: string, wanted: KeyAttributes): AttributeChange {
  const stored = attributesOf(sql, keyId);
  const names = (Object.keys(wanted) as (keyof KeyAttributes)[]).filter((name) => wanted[name] !== undefined);
  const previous = Object.fromEntries(names.map((name) => [name, stored[name]]));
  return { present: wanted, previous };
}

function tagsOf(sql: SqlStorage, keyId: string): string[] {
  return sql
    .exec<{ tag: string }>("SELECT tag FROM api_key_tags WHERE key_id = ? ORDER BY tag", keyId)
    .toArray()
    .map((row) => row.tag);
}

function parse<Value>(json: string): Value {
  return JSON.parse(json) as Value;
}
