/** Hostile queries to the control plane's lists: a cursor is a position, never a way to what the list does not hold. */
import { beforeAll, describe, expect, it } from "vitest";
import { ask, changingNothing, faultyFields } from "./control-plane-client.ts";
import { install, type Installation, type IssuedKey, type Json } from "./installation.ts";

const KEYS = 5;
const ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

let installation: Installation;
let mine: { organizationId: string; keys: IssuedKey[] };
let theirs: { organizationId: string; keys: IssuedKey[] };
beforeAll(async () => {
  installation = await install();
  mine = await organizationWithKeys();
  theirs = await organizationWithKeys();
});

async function organizationWithKeys() {
  const organizationId = await installation.organization();
  const keys: IssuedKey[] = [];
  for (let made = 0; made < KEYS; made++) keys.push(await installation.key(organizationId, []));
  return { organizationId, keys };
}

const list = async (query: string) => ask(installation.adminKey, "GET", `/organizations/${mine.organizationId}/api_keys${query}`);
const idsOf = (body: Json) => (body["data"] as readonly { readonly id: string }[]).map((row) => row.id);
const myIds = () => mine.keys.map((key) => key.id).toSorted();

describe("a query a list does not understand", () => {
  it.each([
    ["a limit of 0", "?limit=0", "limit"],
    ["a limit of 101", "?limit=101", "limit"],
    ["a limit below 0", "?limit=-1", "limit"],
    ["a limit that is no number", "?limit=abc", "limit"],
    ["a limit in scientific notation", "?limit=1e2", "limit"],
    ["a limit with a fraction", "?limit=1.5", "limit"],
    ["a limit in another base", "?limit=0x10", "limit"],
    ["a limit in other digits", "?limit=%D9%A1", "limit"],
    ["a limit with a blank", "?limit=%2010", "limit"],
    ["a limit beyond every number", `?limit=${"9".repeat(400)}`, "limit"],
    ["an order sideways", "?order=sideways", "order"],
    ["an order in capitals", "?order=ASC", "order"],
    ["an order that is SQL", "?order=asc;DROP%20TABLE%20api_keys", "order"],
    ["an order every object has", "?order=constructor", "order"],
    ["a cursor of another kind", `?after=org_${ULID}`, "after"],
    ["a cursor of another kind, backwards", `?before=perm_${ULID}`, "before"],
    ["a cursor that is garbage", "?after=garbage", "after"],
    ["a cursor that is only a prefix", "?after=api_key_", "after"],
    ["a cursor in small letters", `?after=api_key_${ULID.toLowerCase()}`, "after"],
    ["a cursor one character too long", `?after=api_key_${ULID}0`, "after"],
    ["a cursor with a line break behind it", `?after=api_key_${ULID}%0A`, "after"],
    ["a cursor of 10 kB", `?after=api_key_${"0".repeat(10_000)}`, "after"],
    ["a cursor that is SQL", "?before='%20OR%20'1'='1", "before"],
    ["a cursor with a quote in it", `?before=api_key_${ULID.slice(0, 25)}'`, "before"],
    ["a cursor with NUL in it", `?after=api_key_%00${ULID.slice(1)}`, "after"],
    ["a cursor that is not UTF-8", "?after=%FF%FE", "after"],
    ["both cursors at once", `?after=api_key_${ULID}&before=api_key_${ULID}`, "after"],
  ])("%s is 422 and named", async (_, query, field) => {
    const answer = await changingNothing(() => list(query));
    expect([answer.status, faultyFields(answer)]).toEqual([422, [field]]);
  });

  it("is refused by every list alike", async () => {
    for (const path of ["/organizations", "/user_management/users", "/authorization/permissions"])
      expect((await ask(installation.adminKey, "GET", `${path}?after=api_key_${ULID}`)).status).toBe(422);
    const memberships = `/user_management/organization_memberships?organization_id=${mine.organizationId}&after=api_key_${ULID}`;
    expect((await ask(installation.adminKey, "GET", memberships)).status).toBe(422);
  });
});

describe("a query a list does understand", () => {
  it.each([
    ["the smallest limit", "?limit=1", 1],
    ["the largest limit", "?limit=100", KEYS],
    ["empty parameters, as when they are absent", "?limit=&order=&before=&after=", KEYS],
    ["parameters nobody knows", "?__proto__=x&constructor=y&offset=3", KEYS],
  ])("with %s", async (_, query, rows) => {
    const answer = await list(query);
    expect([answer.status, idsOf(answer.body).length]).toEqual([200, rows]);
  });

  it.each(["asc", "desc", "normal"])("in %s order walks through every key once", async (order) => {
    const cursor = order === "normal" ? "before" : "after";
    const seen: string[] = [];
    let next: string | null = "";
    while (next !== null) {
      const { body } = await list(`?limit=2&order=${order}${next && `&${cursor}=${next}`}`);
      seen.push(...idsOf(body));
      next = (body["list_metadata"] as Record<string, string | null>)[cursor] ?? null;
    }
    expect(seen).toEqual(order === "asc" ? myIds() : myIds().toReversed());
  });

  it("takes a parameter that is repeated at its first value, never at a mixture", async () => {
    expect(idsOf((await list("?limit=1&limit=100&order=asc&order=desc")).body)).toEqual(myIds().slice(0, 1));
    expect((await list("?limit=101&limit=1")).status).toBe(422);
  });
});

describe("another organization's key as a cursor", () => {
  it("is only a position: the list holds the own keys beyond it and nobody else's", async () => {
    for (const { id } of theirs.keys)
      for (const query of [`?order=asc&after=${id}`, `?order=asc&before=${id}`, `?order=desc&after=${id}`]) {
        const answer = await list(query);
        expect(answer.status).toBe(200);
        expect(myIds()).toEqual(expect.arrayContaining(idsOf(answer.body)));
        expect(JSON.stringify(answer.body["data"])).not.toContain(theirs.organizationId);
      }
  });

  it("answers the same as an id nobody has at that position", async () => {
    const known = theirs.keys[0]?.id ?? "";
    const nobodys = known.slice(0, -1) + (known.endsWith("Z") ? "Y" : "Z");
    expect((await list(`?after=${known}`)).body).toEqual((await list(`?after=${nobodys}`)).body);
  });
});

describe("a cursor from one list in another", () => {
  /** Every list with cursors: its path, the kind of its ids, and the ids on it. */
  interface List {
    readonly path: string;
    readonly kind: string;
    readonly ids: readonly string[];
  }
  let lists: readonly List[];

  beforeAll(async () => {
    const userIds: string[] = [];
    for (const { organizationId } of [mine, theirs]) {
      const { userId } = await installation.member(organizationId, "member");
      await installation.userKey(userId, organizationId, ["orders:read"]);
      userIds.push(userId);
    }
    const paths = [
      ["org", "/organizations"],
      ["user", "/user_management/users"],
      ["perm", "/authorization/permissions"],
      ["api_key", `/organizations/${mine.organizationId}/api_keys`],
      ["api_key", `/organizations/${theirs.organizationId}/api_keys`],
      ["api_key", "/organizations/org_platform/api_keys"],
      ["api_key", `/user_management/users/${userIds[0]}/api_keys`],
      ["api_key", `/user_management/users/${userIds[1]}/api_keys?organization_id=${theirs.organizationId}`],
      ["om", `/user_management/organization_memberships?organization_id=${mine.organizationId}`],
      ["om", `/user_management/organization_memberships?user_id=${userIds[1]}`],
    ] as const;
    lists = await Promise.all(paths.map(async ([kind, path]) => ({ kind, path, ids: idsOf((await page(path, "limit=100")).body) })));
  });

  const page = async (path: string, query: string) => ask(installation.adminKey, "GET", `${path}${path.includes("?") ? "&" : "?"}${query}`);

  it("is a position there if its ids are of the same kind: the list's own rows beyond it, and no others", async () => {
    for (const { path, kind, ids } of lists) {
      expect(ids, path).not.toEqual([]);
      for (const from of lists.flatMap((other) => (other.kind === kind ? other.ids : [])))
        for (const [cursor, order] of [
          ["after", "asc"],
          ["before", "asc"],
          ["after", "desc"],
          ["before", "desc"],
        ] as const) {
          const answer = await page(path, `limit=100&order=${order}&${cursor}=${from}`);
          const wantsLater = (cursor === "after") === (order === "asc");
          const beyond = ids.filter((id) => (wantsLater ? id > from : id < from)).toSorted();
          expect([answer.status, idsOf(answer.body)], `${path} ${cursor} ${from}, ${order}`).toEqual([
            200,
            order === "asc" ? beyond : beyond.toReversed(),
          ]);
        }
    }
  });

  it("is 422 if its ids are of another kind", async () => {
    for (const { path, kind } of lists)
      for (const other of lists.filter((each) => each.kind !== kind)) {
        const answer = await page(path, `after=${other.ids[0]}`);
        expect([answer.status, faultyFields(answer)], `${path} after ${other.ids[0]}`).toEqual([422, ["after"]]);
      }
  });

  it("is the same if it is the platform's own organization, which has a name for an id", async () => {
    for (const { path, kind } of lists) expect((await page(path, "after=org_platform")).status, path).toBe(kind === "org" ? 200 : 422);
  });
});
