/** `npm run routes` as a newcomer uses it, against a whole running system: from an OpenAPI document to routes in force, and back. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { callApi } from "../../local/api-client.ts";
import { startTestSystem, type TestSystem } from "../system.ts";

const COMMAND = path.resolve(import.meta.dirname, "../../cli/routes.ts");

let system: TestSystem;
let folder: string;
beforeAll(async () => {
  system = await startTestSystem();
  folder = mkdtempSync(path.join(tmpdir(), "portcullis-routes-"));
});
afterAll(async () => {
  await system[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function routes(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const access = { PORTCULLIS_URL: system.controlPlane.href, PORTCULLIS_KEY: system.adminKey };
  const child = spawn(process.execPath, [COMMAND, ...args], {
    cwd: folder,
    env: { ...process.env, ...access, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const [stdout, stderr, status] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { status, stdout, stderr };
}

const write = (name: string, json: unknown) => writeFileSync(path.join(folder, name), JSON.stringify(json));
const route = (name: string, more: object) => ({ name, methods: ["GET"], path: `/${name}`, upstream: system.exampleApi.origin, ...more });
const orders = () => route("orders", { permissions: { all: ["orders:read"] } });
const gateway = async (target: string) => (await fetch(new URL(target, system.gateway))).status;

beforeEach(async () => {
  await callApi(system.controlPlane, system.adminKey, "PUT", "/routes", { routes: [route("health", { public: true })] });
});

it("takes an OpenAPI document to routes in force, tested and compared, and back to the version before", async () => {
  const security = [{ key: ["orders:read"] }];
  write("openapi.json", {
    openapi: "3.0.3",
    paths: { "/orders": { get: { operationId: "listOrders", security } }, "/health": { get: {} } },
  });
  const imported = await routes(["import", "openapi.json", "--upstream", system.exampleApi.origin, "--out", "routes.json"]);
  expect(imported).toMatchObject({ status: 1, stdout: "" });
  expect(imported.stderr).toContain("GET /health: says nothing of security");
  const made = JSON.parse(readFileSync(path.join(folder, "routes.json"), "utf8")) as { routes: unknown[] };
  write("routes.json", {
    ...made,
    tests: [
      { request: "GET /orders", permissions: ["orders:*"], allow: "list-orders" },
      { request: "GET /health", deny: "no_route" },
    ],
  });

  const checked = await routes(["check"]);
  expect(checked).toMatchObject({ status: 0, stderr: "" });
  expect(checked.stdout).toBe(
    ["invoices:pay", "invoices:read", "orders:write"]
      .map((slug) => `warning  no route asks for '${slug}', which the catalogue has\n`)
      .toSorted()
      .join("") + "routes.json: 1 routes are in order.\n",
  );
  const compared = await routes(["diff"]);
  expect([compared.status, compared.stdout.split("\n").slice(0, 2)]).toEqual([
    1,
    ["- health: GET,HEAD /health, public", '+ list-orders: GET,HEAD /orders, {"all":["orders:read"]}'],
  ]);

  const published = await routes(["publish"]);
  expect([published.status, published.stderr]).toEqual([0, ""]);
  expect(published.stdout).toMatch(/2 tests passed\.[^]*In force at every gateway of \S+: version \d+, on top of \d+\.\n$/);
  expect([await gateway("/health"), await gateway("/orders")]).toEqual([404, 401]);
  expect((await routes(["diff"])).status).toBe(0);

  const rolledBack = await routes(["rollback"]);
  expect(rolledBack).toMatchObject({ status: 0, stderr: "" });
  expect([await gateway("/health"), await gateway("/orders")]).toEqual([200, 404]);
  expect((await routes(["history"])).stdout.split("\n")[0]).toMatch(/1 routes, version \d+ again$/);
});

describe("publish", () => {
  const version = async () => Number((await callApi(system.controlPlane, system.adminKey, "GET", "/routes"))["version"]);

  it("changes nothing when somebody has published since the version that was named", async () => {
    write("routes.json", { routes: [orders()] });
    const seen = await version();
    await callApi(system.controlPlane, system.adminKey, "PUT", "/routes", { routes: [] });
    const refused = await routes(["publish", "--onto", String(seen)]);
    expect([refused.status, refused.stderr]).toEqual([
      1,
      `Somebody has published since version ${seen}: nothing was changed. See npm run routes -- diff.\n`,
    ]);
  });

  it.each<[string, () => object, string]>([
    [
      "a test that fails",
      () => ({ routes: [orders()], tests: [{ request: "GET /orders", allow: "orders" }] }),
      "expected allow orders, got deny missing_credential",
    ],
    [
      "routes that overlap",
      () => ({
        routes: [
          { ...orders(), path: "/a/:x" },
          { ...orders(), name: "other", path: "/:x/b" },
        ],
      }),
      "route 'other': overlaps with 'orders'",
    ],
    [
      "a permission that the catalogue does not have",
      () => ({ routes: [route("typo", { permissions: { all: ["order:read"] } })] }),
      "route 'typo': asks for 'order:read'",
    ],
    ["a member that there is not", () => ({ routes: [{ ...orders(), permision: {} }] }), "route 'orders': Unrecognized key"],
  ])("changes nothing with %s", async (_, file, said) => {
    write("routes.json", file());
    const before = await version();
    const refused = await routes(["publish"]);
    expect([refused.status, await version()]).toEqual([1, before]);
    expect(refused.stderr).toContain(said);
  });
});

it("explains requests by the file, and by what is in force", async () => {
  write("routes.json", { routes: [orders()] });
  expect((await routes(["explain", "GET", "/orders", "--permissions", "invoices:read"])).stdout).toBe(
    "GET /orders\n  answers       orders: GET,HEAD /orders\ndeny insufficient_scope (403 insufficient_scope)\n  The key has [invoices:read] and lacks all of: orders:read.\n",
  );
  expect((await routes(["explain", "GET", "/health", "--live"])).stdout).toContain("allow health\n  The route is public.\n");
});

describe("what cannot be done ends with 2 and says why:", () => {
  const SECRET = "pc_live_not-to-be-shown";
  it.each<[string, readonly string[], NodeJS.ProcessEnv, RegExp]>([
    ["no command", [], {}, /^There is no command ''\.\n\nnpm run routes/],
    ["another command", ["toString"], {}, /^There is no command 'toString'/],
    ["an option that there is not", ["check", "--bogus"], {}, /^Unknown option '--bogus'\.\n\nnpm run routes/],
    ["too much", ["check", "other.json"], {}, /^'check' is not called like that/],
    ["no file", ["check", "--file", "none.json"], {}, /^Cannot read none\.json: ENOENT/],
    ["half of the access", ["diff"], { PORTCULLIS_KEY: "" }, /refused|reached/],
    ["a key that is not good", ["history"], { PORTCULLIS_KEY: SECRET }, /refused GET \/routes\/versions: 401/],
    ["nobody there", ["history"], { PORTCULLIS_URL: "http://127.0.0.1:1" }, /^http:\/\/127\.0\.0\.1:1 cannot be reached/],
    ["a key in the clear", ["history"], { PORTCULLIS_URL: "http://control.example" }, /must begin with https/],
    ["a version that is none", ["rollback", "first"], {}, /^'first' is no version/],
    ["a version that is not there", ["rollback", "999999"], {}, /404/],
    ["no upstream", ["import", "openapi.json"], {}, /^Where is the API\? Give --upstream/],
  ])("%s", async (_, args, env, said) => {
    write("routes.json", { routes: [orders()] });
    const ended = await routes(args, env);
    expect([ended.status, ended.stdout]).toEqual([2, ""]);
    expect(ended.stderr).toMatch(said);
    expect(ended.stderr).not.toContain(SECRET);
  });
});

it("explains itself", async () => {
  const helped = await routes(["--help"]);
  expect([helped.status, helped.stderr]).toEqual([0, ""]);
  for (const name of ["check", "diff", "test", "publish", "history", "rollback", "explain", "import"])
    expect(helped.stdout).toMatch(new RegExp(`^  ${name}\\b`, "m"));
});
