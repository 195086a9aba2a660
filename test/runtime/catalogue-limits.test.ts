/** How many permissions and roles there may be: all of them go to every cell with each change, and are looked through for every key. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { cellOfOrganization, HOME_CELL } from "../../core/identifier.ts";
import { changingNothing } from "./control-plane-client.ts";
import { install, type Installation } from "./installation.ts";

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});

/** Fills a table of a cell up to so many rows, past the ledger's doors: through them it would take minutes. */
const fill = (cell: number, table: string, columns: string, upTo: number) =>
  runInDurableObject(env.LEDGER.getByName(`cell-${cell}`), (_, { storage: { sql } }) => {
    const { count } = sql.exec<{ count: number }>(`SELECT count(*) AS count FROM ${table}`).one();
    for (let n = count; n < upTo; n++) sql.exec(`INSERT INTO ${table} VALUES (${columns.replaceAll("#", String(n))})`);
  });

describe("the catalogue is full", () => {
  it("of permissions with 2,000 of them; with one less there is room again", async () => {
    await fill(HOME_CELL, "permissions", "'perm_#', 'bulk:p#', 'P', NULL, 1, 1, 0, 0", 2_000);
    const add = () => installation.call("POST", "/authorization/permissions", { slug: "one:more", name: "P" });
    expect(await changingNothing(add)).toMatchObject({ status: 409, body: { code: "catalogue_limit" } });
    await installation.must("DELETE", "/authorization/permissions/bulk:p1999");
    expect((await add()).status).toBe(201);
  });

  it("of the installation's roles with 500 of them", async () => {
    await fill(HOME_CELL, "roles", "'role_#', 'bulk-#', 'R', NULL, '[]', 0, 0", 500);
    const add = () => installation.call("POST", "/authorization/roles", { slug: "one-more", name: "R" });
    expect(await changingNothing(add)).toMatchObject({ status: 409, body: { code: "catalogue_limit" } });
    await installation.must("DELETE", "/authorization/roles/bulk-499");
    expect((await add()).status).toBe(201);
  });

  it("of an organization's roles with 500 of its own, whatever others have", async () => {
    const organization = await installation.organization();
    const cell = cellOfOrganization(organization, Number(env.CELLS));
    await fill(cell, "organization_roles", `'role_own#', '${organization}', 'org-bulk-#', 'R', NULL, '[]', 0, 0`, 500);
    const add = (to: string) => installation.call("POST", `/authorization/organizations/${to}/roles`, { name: "One more" });
    expect(await changingNothing(() => add(organization))).toMatchObject({ status: 409, body: { code: "catalogue_limit" } });
    expect((await add(await installation.organization())).status).toBe(201);
  });
});
