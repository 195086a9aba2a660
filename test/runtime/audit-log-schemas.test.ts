/** Schemas of customers' own audit events: versions that stay, and events that are refused where they are not as theirs says. */
import { beforeAll, describe, expect, it } from "vitest";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { ask, changingNothing, faultyFields } from "./control-plane-client.ts";
import { callControlPlane, install, type Installation, type Json } from "./installation.ts";

let installation: Installation;
let organization_id: string;
beforeAll(async () => {
  installation = await install();
  organization_id = await installation.organization();
});

const typed = (properties: Record<string, string>) => ({
  type: "object",
  properties: Object.fromEntries(Object.entries(properties).map(([name, type]) => [name, { type }])),
});
const SCHEMA = {
  targets: [{ type: "document", metadata: typed({ pages: "number", draft: "boolean" }) }, { type: "team" }],
  actor: { metadata: typed({ role: "string" }) },
  metadata: typed({ via: "string" }),
};
const define = (action: string, schema: unknown = SCHEMA) => installation.call("POST", `/audit_logs/actions/${action}/schemas`, schema);
const record = (action: string, change: Json = {}) =>
  installation.call("POST", "/audit_logs/events", {
    organization_id,
    event: {
      action,
      occurred_at: "2026-01-15T14:00:00Z",
      actor: { type: "user", id: "user_42" },
      targets: [{ type: "document", id: "1" }],
      context: { location: "203.0.113.7" },
      ...change,
    },
  });
const target = (more: Json) => ({ targets: [{ type: "document", id: "1", ...more }] });

describe("an event of an action with a schema", () => {
  it.each<[string, Json]>([
    ["nothing beside what it must have", {}],
    ["values of the right types", { metadata: { via: "web" }, ...target({ metadata: { pages: 1, draft: false } }) }],
    ["what the schema does not name", { metadata: { other: 7 }, actor: { type: "user", id: "1", metadata: { constructor: 1 } } }],
    ["another type of target that the schema has", { targets: [{ type: "team", id: "1", metadata: { pages: "many" } }] }],
  ])("is taken with %s", async (_, change) => {
    await define("document.opened");
    expect(await record("document.opened", change)).toMatchObject({ status: 200, body: { success: true } });
  });

  it.each<[string, Json, string]>([
    ["a type of target that the schema does not have", { targets: [{ type: "door", id: "1" }] }, "event.targets.0.type"],
    ["a number that is a text", target({ metadata: { pages: "1" } }), "event.targets.0.metadata.pages"],
    ["a truth that is a number", target({ metadata: { draft: 1 } }), "event.targets.0.metadata.draft"],
    ["a text of the actor's that is a truth", { actor: { type: "user", id: "1", metadata: { role: true } } }, "event.actor.metadata.role"],
    ["metadata of its own of another type", { metadata: { via: 1 } }, "event.metadata.via"],
    ["a version that the action does not have", { version: 99 }, "event.version"],
  ])("is refused with %s, and leaves nothing", async (_, change, field) => {
    await define("document.closed");
    const { status, body } = await changingNothing(() => record("document.closed", change));
    expect([status, body["code"], faultyFields({ status, body, headers: new Headers() })]).toEqual([
      400,
      "invalid_audit_log_event",
      [field],
    ]);
  });

  it("names every fault, and repeats no value", async () => {
    await define("document.torn");
    const bad = {
      metadata: { via: 12_345_678 },
      targets: [
        { type: "door", id: "1" },
        { type: "document", id: "2", metadata: { pages: "x" } },
      ],
    };
    const answer = await record("document.torn", bad);
    expect(faultyFields(answer)).toEqual(["event.metadata.via", "event.targets.0.type", "event.targets.1.metadata.pages"]);
    expect(JSON.stringify(answer.body)).not.toContain("12345678");
  });

  it("is as the version that it says, 1 where it says none, so that a new version breaks nobody", async () => {
    expect((await define("document.sent")).body).toMatchObject({ object: "audit_log_schema", version: 1 });
    expect((await define("document.sent", { targets: [{ type: "letter" }] })).body).toMatchObject({ version: 2 });
    const letter = { targets: [{ type: "letter", id: "1" }] };
    expect((await record("document.sent")).status).toBe(200);
    expect((await record("document.sent", letter)).status).toBe(400);
    expect((await record("document.sent", { ...letter, version: 2 })).status).toBe(200);
    expect((await record("document.sent", { version: 2 })).status).toBe(400);
  });

  it("of an action that has none is taken as it is", async () => {
    expect((await record("unheard.of", { version: 3, metadata: { via: 1 } })).status).toBe(200);
  });
});

describe("a schema", () => {
  it("is made once when it is sent again with its Idempotency-Key, and two at once have two versions", async () => {
    const again = () =>
      callControlPlane(installation.adminKey, "POST", "/audit_logs/actions/twice.sent/schemas", SCHEMA, { "Idempotency-Key": "schema" });
    expect((await again()).body).toEqual((await again()).body);
    const [one, other] = await Promise.all([define("twice.sent"), define("twice.sent")]);
    expect(new Set([one.body["version"], other.body["version"]])).toEqual(new Set([2, 3]));
  });

  it("is listed, with all versions by action, and each action with its newest", async () => {
    for (let version = 1; version <= 3; version += 1) await define("listed.once", { targets: [{ type: `t${version}` }] });
    const versions = await installation.must("GET", "/audit_logs/actions/listed.once/schemas?limit=2");
    expect((versions["data"] as Json[]).map((schema) => schema["version"])).toEqual([3, 2]);
    const { after } = versions["list_metadata"] as Json;
    const rest = await installation.must("GET", `/audit_logs/actions/listed.once/schemas?after=${String(after)}`);
    expect((rest["data"] as Json[]).map((schema) => schema["version"])).toEqual([1]);
    const { data } = await installation.must("GET", "/audit_logs/actions?limit=100");
    const listed = (data as Json[]).filter(({ name }) => name === "listed.once");
    expect(listed).toMatchObject([{ object: "audit_log_action", schema: { version: 3, targets: [{ type: "t3" }] } }]);
    expect((await installation.call("GET", "/audit_logs/actions/never.heard/schemas")).status).toBe(404);
  });

  it.each<[string, unknown]>([
    ["no targets", { targets: [] }],
    ["a type twice", { targets: [{ type: "a" }, { type: "a" }] }],
    ["a type that no value of metadata has", { ...SCHEMA, metadata: typed({ a: "object" }) }],
    ["a keyword of JSON Schema that would be passed over", { ...SCHEMA, metadata: { ...typed({ a: "string" }), required: ["a"] } }],
    ["a member that it does not have", { ...SCHEMA, context: {} }],
    ["too many properties", { ...SCHEMA, metadata: typed(Object.fromEntries(Array.from({ length: 51 }, (_, n) => [`p${n}`, "string"]))) }],
  ])("with %s is refused", async (_, schema) => {
    expect((await changingNothing(() => define("never.defined", schema))).status).toBe(422);
  });

  it("is not for who may only record events", async () => {
    const sender = await installation.key(PLATFORM_ORGANIZATION_ID, ["portcullis:audit_logs:write"]);
    const answer = await ask(sender.value, "POST", "/audit_logs/actions/document.opened/schemas", { json: SCHEMA });
    expect(answer).toMatchObject({ status: 403, body: { missing_permissions: ["portcullis:policies:write"] } });
  });
});
