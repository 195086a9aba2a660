/** Pages over a real cell's tables, in SQL: walked to the end and back while rows come and go. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { apiKeySlice } from "../../control-plane/ledger/api-keys.ts";
import { membershipSlice } from "../../control-plane/ledger/tenancy.ts";
import { assemblePage, walkOf, type Page, type PageRequest, type Slice, type Walk } from "../../core/page.ts";
import {
  anyId,
  anyPlan,
  anyRequest,
  cellOf,
  expectWholeBackToTheStart,
  expectWholeToTheEnd,
  Shards,
  type Change,
  type Plan,
  type Row,
  type Rows,
} from "../page-walks.ts";

/** A list of the control plane: how its rows come and go, and the query that walks them. One organization stands for one cell. */
interface Listing {
  readonly table: string;
  readonly add: (sql: SqlStorage, id: string, organizationId: string) => void;
  readonly remove: (sql: SqlStorage, id: string) => void;
  readonly slice: (sql: SqlStorage, organizationId: string, walk: Walk) => Slice<Row>;
}

const USER = "user_owner";
/** Its rows are in the same tables and must never be seen. */
const OTHER_ORGANIZATION = "org_other";

function addKey(sql: SqlStorage, id: string, organizationId: string, userId: string | null): void {
  const owner = userId === null ? "organization" : "user";
  sql.exec(
    `INSERT OR REPLACE INTO api_keys
      (id, owner_type, organization_id, user_id, name, obfuscated_value, environment, permissions, created_at_ms, updated_at_ms)
      VALUES (?, ?, ?, ?, 'CI', 'pc_live_...', 'live', '[]', 0, 0)`,
    id,
    owner,
    organizationId,
    userId,
  );
}

const revokeKey = (sql: SqlStorage, id: string) => void sql.exec("UPDATE api_keys SET revoked_seq = 1 WHERE id = ?", id);

const LISTINGS: readonly (readonly [string, Listing])[] = [
  [
    "an organization's keys",
    {
      table: "api_keys",
      add: (sql, id, organizationId) => addKey(sql, id, organizationId, null),
      remove: revokeKey,
      slice: (sql, id, walk) => apiKeySlice(sql, { type: "organization", id }, walk),
    },
  ],
  [
    "a user's keys",
    {
      table: "api_keys",
      add: (sql, id, organizationId) => addKey(sql, id, organizationId, USER),
      remove: revokeKey,
      slice: (sql, organization_id, walk) => apiKeySlice(sql, { type: "user", id: USER, organization_id }, walk),
    },
  ],
  [
    "an organization's memberships",
    {
      table: "memberships",
      add: (sql, id, organizationId) =>
        void sql.exec(
          "INSERT OR REPLACE INTO memberships (id, organization_id, user_id, user_email, role, created_at_ms, updated_at_ms) VALUES (?, ?, ?, '', 'member', 0, 0)",
          id,
          organizationId,
          `user_of_${id}`,
        ),
      remove: (sql, id) => void sql.exec("DELETE FROM memberships WHERE id = ?", id),
      slice: (sql, organization_id, walk) => membershipSlice(sql, { organization_id }, walk),
    },
  ],
];

/** The rows of a plan in a table that holds many others. */
class TableRows implements Rows {
  readonly #sql: SqlStorage;
  readonly #listing: Listing;
  readonly #cells: number;

  constructor(sql: SqlStorage, listing: Listing, { initial, cells }: Plan) {
    this.#sql = sql;
    this.#listing = listing;
    this.#cells = cells;
    sql.exec("DELETE FROM api_keys");
    sql.exec("DELETE FROM memberships");
    for (const id of initial) {
      // Around each row there are others that are none of this list's.
      listing.add(sql, `${id}-of-another-organization`, OTHER_ORGANIZATION);
      addKey(sql, `${id}-of-another-user`, this.#organizationOf(id), "user_other");
      addKey(sql, `${id}-revoked`, this.#organizationOf(id), null);
      revokeKey(sql, `${id}-revoked`);
      listing.add(sql, id, this.#organizationOf(id));
    }
  }

  read(request: PageRequest): Page<Row> {
    const walk = walkOf(request);
    const organizations = Array.from({ length: this.#cells }, (_, cell) => `org_${cell}`);
    return assemblePage(
      request,
      organizations.map((organization) => this.#listing.slice(this.#sql, organization, walk)),
    );
  }

  apply(changes: readonly Change[]): void {
    for (const { id, present } of changes) {
      if (present) this.#listing.add(this.#sql, id, this.#organizationOf(id));
      else this.#listing.remove(this.#sql, id);
    }
  }

  #organizationOf(id: string): string {
    return `org_${cellOf(id, this.#cells)}`;
  }
}

/** Runs a property inside a cell, where its SQLite is. */
async function inCell(run: (sql: SqlStorage) => void): Promise<void> {
  await runInDurableObject(env.LEDGER.getByName("cell-1"), (_, { storage: { sql } }) => {
    const organizations = [OTHER_ORGANIZATION, ...Array.from({ length: 5 }, (__, cell) => `org_${cell}`)];
    for (const id of organizations) {
      sql.exec("INSERT OR REPLACE INTO organizations (id, name, created_at_ms, updated_at_ms) VALUES (?, 'Acme', 0, 0)", id);
    }
    run(sql);
  });
}

describe.each(LISTINGS)("a walk over the pages of %s while they come and go", (_, listing) => {
  it("repeats none, misses none that was there throughout, keeps the order, and shows nobody else's, towards the end", async () => {
    await inCell((sql) => fc.assert(fc.property(anyPlan, (plan) => expectWholeToTheEnd(new TableRows(sql, listing, plan), plan))));
  });

  it("does so on the way back too, from any row on, be it there or not", async () => {
    await inCell((sql) =>
      fc.assert(fc.property(anyPlan, anyId, (plan, from) => expectWholeBackToTheStart(new TableRows(sql, listing, plan), plan, from))),
    );
  });

  it("shows on each page what the rows in memory show, its cursors included", async () => {
    await inCell((sql) =>
      fc.assert(
        fc.property(anyPlan, anyRequest, (plan, request) => {
          const { data, list_metadata } = new TableRows(sql, listing, plan).read(request);
          const inMemory = new Shards(plan.initial, plan.cells).read(request);
          expect({ data: data.map(({ id }) => ({ id })), list_metadata }).toEqual({
            data: inMemory.data,
            list_metadata: inMemory.list_metadata,
          });
        }),
      ),
    );
  });
});
