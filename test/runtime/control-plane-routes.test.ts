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
