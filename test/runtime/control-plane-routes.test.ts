/** Replacing the route table with the version one has read: nobody undoes what somebody else has changed meanwhile. */
import { beforeAll, describe, expect, it } from "vitest";
import { ask, changingNothing, faultyFields } from "./control-plane-client.ts";
import { install, UPSTREAM, type Installation, type Json } from "./installation.ts";
import { observeGateway } from "./observed-gateway.ts";

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});

const read = () => installation.must("GET", "/routes");
const versionNow = async () => Number((await read())["version"]);
const opening = (path: string) => [{ name: "open", methods: ["GET"], path, upstream: UPSTREAM, public: true }];
const replace = (json: Json, headers: Record<string, string> = {}) => ask(installation.adminKey, "PUT", "/routes", { json, headers });

describe("a route table replaced with a version", () => {
  it("is taken when that is the present one, and then has another", async () => {
    const version = await versionNow();
    const replaced = await replace({ routes: opening("/one"), version });
    expect(replaced).toMatchObject({ status: 200, body: { routes: opening("/one") } });
    expect(replaced.body["version"]).toBeGreaterThan(version);
    expect(await versionNow()).toBe(replaced.body["version"]);
  });

  it("is taken though much else has changed in the same cell meanwhile", async () => {
    const version = await versionNow();
    await installation.must("POST", "/authorization/permissions", { slug: "meanwhile:read", name: "Meanwhile" });
    expect((await replace({ routes: opening("/two"), version })).status).toBe(200);
  });

  it.each<[string, (version: number) => number]>([
    ["one that was replaced", (version) => version],
    ["one that is not there yet", (version) => version + 1_000],
    ["that of an installation without routes", () => 0],
  ])("is refused when it is %s, and nothing changes, at no gateway either", async (_, stale) => {
    const version = stale(await versionNow());
    const { body: inForce } = await replace({ routes: opening("/in-force") });
    const refused = await changingNothing(() => replace({ routes: opening("/lost"), version }));
    expect(refused).toMatchObject({ status: 409, body: { code: "version_conflict" } });
    expect(refused.body["message"]).toContain(`at version ${String(inForce["version"])}, not ${version}`);
    expect(await read()).toMatchObject({ version: inForce["version"], routes: opening("/in-force") });
    const gateway = observeGateway();
    expect([(await gateway.send("/in-force")).status, (await gateway.send("/lost")).status]).toEqual([200, 404]);
  });

  it("is taken once of several that were made from the same version", async () => {
    const version = await versionNow();
    const answers = await Promise.all([1, 2, 3, 4].map((each) => replace({ routes: opening(`/editor-${each}`), version })));
    const winners = answers.filter(({ status }) => status === 200);
    expect(winners).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(3);
    expect(await read()).toMatchObject({ routes: winners[0]?.body["routes"] });
  });

  it("is answered as before when the same request comes again: that is no conflict with itself", async () => {
    const sent = { routes: opening("/repeated"), version: await versionNow() };
    const headers = { "Idempotency-Key": "replace-once" };
    const first = await replace(sent, headers);
    const again = await changingNothing(() => replace(sent, headers));
    expect([first.status, again.status, again.body["version"]]).toEqual([200, 200, first.body["version"]]);
  });

  it.each([-1, 1.5, "1", true, []])("is refused when that is no version: %j", async (version) => {
    const refused = await changingNothing(() => replace({ routes: [], version }));
    expect([refused.status, faultyFields(refused)]).toEqual([422, ["version"]]);
  });
});

describe("versions of the route table", () => {
  const list = async () => (await installation.must("GET", "/routes/versions"))["data"] as Json[];
  const restore = (version: unknown, json: Json = {}) =>
    ask(installation.adminKey, "POST", `/routes/versions/${String(version)}/restore`, { json });

  it("are listed newest first, with who published them and how many routes they have", async () => {
    const { body: one } = await replace({ routes: opening("/listed-one") });
    const { body: two } = await replace({ routes: [] });
    const [newest, before] = await list();
    expect(newest).toMatchObject({ version: two["version"], route_count: 0, restored_from: null, published_by: { type: "api_key" } });
    expect(before).toMatchObject({ version: one["version"], route_count: 1 });
    expect(await installation.must("GET", `/routes/versions/${String(one["version"])}`)).toMatchObject({ routes: opening("/listed-one") });
  });

  it("are put in force again at every gateway, as a new version that says which it was", async () => {
    const { body: good } = await replace({ routes: opening("/good") });
    const { body: bad } = await replace({ routes: opening("/bad") });
    const restored = await restore(good["version"], { version: bad["version"] });
    expect(restored).toMatchObject({ status: 200, body: { routes: opening("/good") } });
    expect(restored.body["version"]).toBeGreaterThan(Number(bad["version"]));
    expect((await list())[0]).toMatchObject({ version: restored.body["version"], restored_from: good["version"] });
    const gateway = observeGateway();
    expect([(await gateway.send("/good")).status, (await gateway.send("/bad")).status]).toEqual([200, 404]);
  });

  it("are not put in force over what somebody else has published meanwhile", async () => {
    const { body: good } = await replace({ routes: opening("/before") });
    const { body: seen } = await replace({ routes: opening("/seen") });
    await replace({ routes: opening("/unseen") });
    const refused = await changingNothing(() => restore(good["version"], { version: seen["version"] }));
    expect(refused).toMatchObject({ status: 409, body: { code: "version_conflict" } });
  });

  it("are kept, 50 of them; a version that is not there is 404", async () => {
    const { body: oldest } = await replace({ routes: opening("/oldest") });
    for (const each of Array.from({ length: 50 }).keys()) await replace({ routes: opening(`/newer-${each}`) }, { Prefer: "respond-async" });
    const kept = await list();
    expect([kept.length, kept.some(({ version }) => version === oldest["version"])]).toEqual([50, false]);
    for (const gone of [oldest["version"], Number(kept[0]?.["version"]) + 1, 0, "now"])
      expect((await changingNothing(() => restore(gone))).status).toBe(404);
  });
});

describe("a table with faults", () => {
  const route = (name: string, path: string) => ({ name, methods: ["GET"], path, upstream: UPSTREAM, public: true });

  it.each([
    ["routes that overlap", [route("one", "/a/:x"), route("two", "/:x/b")], ["routes.1.path"]],
    [
      "a route that never answers",
      [route("all", "/*"), route("home", "/"), route("one", "/:x"), route("rest", "/:x/*")],
      ["routes.0.path"],
    ],
  ])("is refused: %s", async (_, routes, fields) => {
    const refused = await changingNothing(() => replace({ routes }));
    expect([refused.status, faultyFields(refused)]).toEqual([422, fields]);
  });
});
