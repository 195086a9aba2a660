/** What is said of users: kept as it was said, told with what it was before, and refused where it cannot be kept. */
import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { changingNothing, faultyFields } from "./control-plane-client.ts";
import { install, type Installation, type Json } from "./installation.ts";

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});

let made = 0;
const create = (more: Json = {}) => installation.call("POST", "/user_management/users", { email: `u${(made += 1)}@example.com`, ...more });
const change = (id: unknown, what: Json) => installation.call("PUT", `/user_management/users/${String(id)}`, what);

describe("a user", () => {
  it("is as it was said, and says nothing that was not", async () => {
    expect((await create()).body).toMatchObject({ email_verified: false, first_name: null, last_name: null, name: null, locale: null });
    const said = {
      email_verified: true,
      first_name: "Ada",
      last_name: "Lovelace",
      name: "Countess",
      locale: "de-AT",
      metadata: { a: "b" },
    };
    const { status, body } = await create(said);
    expect([status, body]).toMatchObject([201, said]);
    expect(await installation.must("GET", `/user_management/users/${String(body["id"])}`)).toEqual(body);
  });

  it("without a name has that of first and last, whatever these become", async () => {
    const { id } = (await create({ first_name: "Ada", last_name: "Byron" })).body;
    expect((await change(id, { last_name: "Lovelace" })).body).toMatchObject({ name: "Ada Lovelace" });
    expect((await change(id, { name: "Countess" })).body).toMatchObject({ name: "Countess", first_name: "Ada" });
    expect((await change(id, { first_name: null })).body).toMatchObject({ name: "Countess" });
    expect((await change(id, { name: null })).body).toMatchObject({ name: "Lovelace" });
  });

  it("with another address is not verified, unless that is said; in other capitals it is the same", async () => {
    const { id } = (await create({ email: "first@example.com", email_verified: true })).body;
    expect((await change(id, { email: "FIRST@example.com" })).body).toMatchObject({ email_verified: true });
    expect((await change(id, { email: "second@example.com" })).body).toMatchObject({ email_verified: false });
    expect((await change(id, { email: "third@example.com", email_verified: true })).body).toMatchObject({ email_verified: true });
  });

  it("is told of with what it was before", async () => {
    const { id } = (await create({ locale: "en", name: "A" })).body;
    await change(id, { locale: "fr", name: "B", email_verified: true });
    const { data } = await installation.must("GET", "/events?events=user.updated&order=desc&limit=1");
    expect((data as Json[])[0]).toMatchObject({
      data: { id, locale: "fr", name: "B", email_verified: true, previous_attributes: { locale: "en", name: "A", email_verified: false } },
    });
  });

  it.each<[string, Json, string]>([
    ["a language that is none", { locale: "en_US" }, "locale"],
    ["a language that is too long", { locale: `en-${"x".repeat(40)}` }, "locale"],
    ["a word for true", { email_verified: "true" }, "email_verified"],
    ["an empty name", { name: " " }, "name"],
    ["a name that turns the text around it", { name: "a\u202eb" }, "name"],
    ["a password, which nobody would keep", { password: "secret-canary" }, "password"],
    ["the hash of one", { password_hash: "secret-canary", password_hash_type: "bcrypt" }, "password_hash"],
  ])("with %s is refused, made or changed, and nothing of it is repeated", async (_, said, field) => {
    const { id } = (await create()).body;
    for (const attempt of [() => create(said), () => change(id, said)]) {
      const answer = await changingNothing(attempt);
      expect([answer.status, faultyFields(answer)[0]]).toEqual([422, field]);
      expect(JSON.stringify(answer.body)).not.toContain("canary");
    }
  });

  it("from before is as it was: not verified, without a name or a language of its own", async () => {
    const { id } = (await create({ first_name: "Old" })).body;
    const columns = await runInDurableObject(env.LEDGER.getByName("cell-0"), (_, { storage: { sql } }) =>
      sql.exec("SELECT email_verified, name, locale FROM users WHERE id = ?", id).one(),
    );
    expect(columns).toEqual({ email_verified: 0, name: null, locale: null });
  });
});
