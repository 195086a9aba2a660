/** What a cell's database holds, all of it, for tests that look past the ledger's own doors. */

/** The names of the tables, without the platform's own. */
export function tableNames(sql: SqlStorage): string[] {
  return sql
    .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' ORDER BY name")
    .toArray()
    .map(({ name }) => name);
}

/** The rows of every table. */
export function everyRow(sql: SqlStorage): Record<string, Record<string, SqlStorageValue>[]> {
  return Object.fromEntries(tableNames(sql).map((name) => [name, sql.exec(`SELECT * FROM ${name}`).toArray()]));
}

/** How tables, indexes and triggers were declared. */
export function declarations(sql: SqlStorage): Record<string, SqlStorageValue>[] {
  return sql.exec("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\' ORDER BY name").toArray();
}
