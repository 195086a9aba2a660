/**
 * A page costs what it shows, however many keys there are: with 100 and with 1,000 keys of one organization a cell reads exactly as many rows. What
 * is asked for is there as often at both sizes, and everything else is of another kind, so that whoever walks past it reads it.
 */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, expect, it } from "vitest";
import type { Command, KeyFilter } from "../../control-plane/ledger/command.ts";
import { takeBack } from "../../control-plane/ledger/catalogue.ts";
import { execute } from "../../control-plane/ledger/execute.ts";
import { assemblePage, walkOf, type Page, type PageRequest, type Slice } from "../../core/page.ts";
import { envelope, minted, newId, replyOf } from "./ledger-commands.ts";
import { rowsReadBy, type Measured } from "./rows-read.ts";

const CELL = 1;
const FEW = 10;
const ORGANIZATION = newId("org");
const USER = newId("user");
const stub = env.LEDGER.getByName(`cell-${CELL}`);
const ids: string[] = [];
const page = (request: Partial<PageRequest> = {}) => walkOf({ limit: 5, order: "desc", ...request });
const middle = () => ids[Math.floor(ids.length / 2)] ?? "";
/** After the few were made, before all others. */
let fewMadeBeforeMs = 0;

interface Made {
  readonly userId?: string;
  readonly tag?: string;
  readonly madeBy?: string;
}

/** Makes keys in one go, without what follows a commit. */
async function makeKeys(count: number, { userId, tag = "usual", madeBy = "usual" }: Made = {}): Promise<void> {
  await runInDurableObject(stub, (_, { storage }) => {
    for (let made = 0; made < count; made++) {
      const id = newId("api_key", CELL);
      const owner =
        userId === undefined
          ? ({ type: "organization", id: ORGANIZATION } as const)
          : ({ type: "user", id: userId, organization_id: ORGANIZATION } as const);
      const command: Command = {
        type: "create_api_key",
        id,
        owner,
        name: "CI",
        permissions: [],
        expires_at_ms: null,
        minted: minted(),
        attributes: { tags: [tag] },
      };
      replyOf(execute(storage, { ...envelope(command), actor: { type: "api_key", id: madeBy } }, Date.now()));
      ids.push(id);
    }
    // Those of one millisecond are in no order.
    ids.sort();
  });
}

beforeAll(async () => {
  const membership = { type: "create_membership", id: newId("om", CELL) } as const;
  const member = { organization_id: ORGANIZATION, user_id: USER, user_email: "ada@example.com", role: "member" } as const;
  await runInDurableObject(stub, (_, { storage }) => {
    storage.sql.exec("INSERT INTO roles VALUES ('role_1', 'member', 'Member', NULL, '[]', 0, 0)");
    for (const command of [
      { type: "create_organization", id: ORGANIZATION, name: "Acme", external_id: null },
      { ...membership, ...member },
    ] as const)
      replyOf(execute(storage, envelope(command), Date.now()));
  });
  await makeKeys(FEW, { userId: USER });
  await makeKeys(FEW, { tag: "few" });
  await makeKeys(FEW, { madeBy: "another" });
  fewMadeBeforeMs = Date.now() + 1;
  while (Date.now() <= fewMadeBeforeMs) await new Promise((resolve) => setTimeout(resolve, 1));
});

const preview =
  (filter: KeyFilter): Measured =>
  (ledger) =>
    ledger.previewRevocation({ organization_id: ORGANIZATION, ...filter });
const owner = { type: "organization", id: ORGANIZATION } as const;
const terms = { windowDays: 90, idleDays: 90, livePlatformKeys: [] };
const events = { organization_id: ORGANIZATION, to_ms: Number.MAX_SAFE_INTEGER };
const log = { organization_id: ORGANIZATION };
const command =
  (made: () => Command): Measured =>
  (_, storage) =>
    replyOf(execute(storage, envelope(made()), Date.now()));

/** Everything that must not get dearer. */
const THINGS = {
  "keys: first page": (ledger) => ledger.listApiKeys(owner, page()),
  "keys: in the middle": (ledger) => ledger.listApiKeys(owner, page({ after: middle() })),
  "keys: backwards from the end": (ledger) => ledger.listApiKeys(owner, page({ before: ids[0] })),
  "keys: of a member": (ledger) => ledger.listApiKeys({ type: "user", id: USER, organization_id: ORGANIZATION }, page()),
  "keys: of a user": (ledger) => ledger.listApiKeys({ type: "user", id: USER }, page()),
  "keys: of all members": (ledger) => ledger.listApiKeys({ type: "members", organization_id: ORGANIZATION }, page()),
  "report: of the organization": (ledger) => ledger.listKeyReviews(ORGANIZATION, terms, page({ after: middle() })),
  "report: of everything": (ledger) => ledger.listKeyReviews(undefined, terms, page({ after: middle() })),
  "preview: by tag": preview({ tag: "few" }),
  "preview: by owner": preview({ owner_id: USER }),
  "preview: by maker": preview({ created_by: "another" }),
  "preview: by age": (ledger) => ledger.previewRevocation({ organization_id: ORGANIZATION, created_before_ms: fewMadeBeforeMs }),
  "preview: of a user's end": (ledger) => ledger.previewEnding({ type: "user", id: USER }),
  "events: first page": (ledger) => ledger.listEvents(events, page({ order: "asc" })),
  "events: of a type": (ledger) => ledger.listEvents({ ...events, types: ["organization_membership.created"] }, page()),
  "events: of ended keys": (ledger) => ledger.listEvents({ ...events, types: ["api_key.revoked"] }, page()),
  "events: of a type, everywhere": (ledger) =>
    ledger.listEvents({ to_ms: events.to_ms, types: ["organization_membership.created"] }, page()),
  "audit log: first page": (ledger) => ledger.auditEntries(log, {}, page()),
  "audit log: of one key": (ledger) => ledger.auditEntries(log, { subject: ids[0] }, page()),
  "audit log: of one maker": (ledger) => ledger.auditEntries(log, { actor_id: "another", type: "api_key.created" }, page()),
  "a key read": (ledger) => ledger.apiKey(middle()),
  "a key renamed": command(() => ({ type: "update_api_key", id: middle(), name: "Nightly" })),
  "a key disabled": command(() => ({ type: "disable_api_key", id: middle() })),
} satisfies Record<string, Measured>;

it("reads the same number of rows among 1,000 keys as among 100", async () => {
  await makeKeys(100 - ids.length);
  // The first time something is done to a key may leave more behind than the second.
  await rowsReadBy(stub, THINGS);
  const among100 = await rowsReadBy(stub, THINGS);
  await makeKeys(1_000 - ids.length);
  await rowsReadBy(stub, THINGS);
  expect(await rowsReadBy(stub, THINGS)).toEqual(among100);
  for (const rows of Object.values(among100)) expect(rows).toBeGreaterThan(0);
});

/** All pages of a list to its end. */
async function walkToTheEnd<Row extends { readonly id: string }>(
  read: (walk: ReturnType<typeof walkOf>) => Promise<Slice<Row>>,
  asked: PageRequest,
): Promise<Page<Row>[]> {
  const pages: Page<Row>[] = [];
  for (let after: string | null | undefined; after !== null; after = pages.at(-1)?.list_metadata.after) {
    const request = { ...asked, ...(after !== undefined && { after }) };
    pages.push(assemblePage(request, [await read(walkOf(request))]));
  }
  return pages;
}

const idsOf = (pages: readonly Page<{ readonly id: string }>[]) => pages.flatMap(({ data }) => data.map(({ id }) => id));

it("looks at so many keys and no more for a page of those against the policy, and finds all of them", async () => {
  const policy = JSON.stringify({ user_key_lifetime_days_max: 30 });
  await runInDurableObject(stub, (_, { storage }) => {
    storage.sql.exec("INSERT INTO api_key_policies VALUES (?, ?, 0)", ORGANIZATION, policy);
  });
  const violations = { "the first page": (ledger) => ledger.nonCompliantApiKeys(ORGANIZATION, page()) } satisfies Record<string, Measured>;
  await makeKeys(2_100 - ids.length);
  const among2100 = await rowsReadBy(stub, violations);
  const pages = await walkToTheEnd((walk) => stub.nonCompliantApiKeys(ORGANIZATION, walk), { limit: 5, order: "desc" });
  expect(pages[0]?.data).toEqual([]);
  expect(idsOf(pages)).toEqual(ids.slice(0, FEW).toReversed());
  await makeKeys(300);
  expect(await rowsReadBy(stub, violations)).toEqual(among2100);
});

it("sends no more of a list at once than a page may weigh, and all of it in the end", async () => {
  const metadata = JSON.stringify({ note: "x".repeat(16_000) });
  await runInDurableObject(stub, (_, { storage: { sql } }) => void sql.exec("UPDATE api_keys SET metadata = ?", metadata));
  const pages = await walkToTheEnd((walk) => stub.listApiKeys(owner, walk), { limit: 100, order: "asc" });
  for (const { data } of pages) expect(JSON.stringify(data).length).toBeLessThan(1_100_000);
  expect(idsOf(pages)).toEqual(ids.slice(FEW));
});

it("takes a permission from every key that holds it, though there are more than are held in memory at once", async () => {
  await runInDurableObject(stub, (_, { storage: { sql } }) => {
    sql.exec("UPDATE api_keys SET permissions = ?", JSON.stringify(["orders:read", "orders:write"]));
    takeBack(sql, "api_keys", { deleted: ["orders:write"], remaining: ["orders:read"] }, Date.now());
    const held = sql.exec("SELECT DISTINCT permissions FROM api_keys").toArray();
    expect(held).toEqual([{ permissions: JSON.stringify(["orders:read"]) }]);
  });
});
