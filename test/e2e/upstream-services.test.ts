/** Routes that lead to service bindings: a control plane that has been told of the gateway's refuses others, and one that has not says so. */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { expect, it, onTestFinished } from "vitest";
import { startTestSystem, type TestSystem } from "../system.ts";

const COMMAND = path.resolve(import.meta.dirname, "../../cli/routes.ts");

const route = (service: string) => ({
  name: "orders",
  methods: ["GET"],
  path: "/orders",
  upstream: [{ url: "https://orders.example.com" }, { url: "https://orders.example.com", service }],
  permissions: { any: ["orders:read", "orders:write", "invoices:read", "invoices:pay"] },
});

async function started(settings: Readonly<Record<string, string>>): Promise<TestSystem> {
  const system = await startTestSystem({ settings });
  onTestFinished(() => system[Symbol.asyncDispose]());
  return system;
}

async function publish({ controlPlane, adminKey }: TestSystem, service: string): Promise<Response> {
  const headers = { Authorization: `Bearer ${adminKey}`, "Content-Type": "application/json" };
  return fetch(new URL("/routes", controlPlane), { method: "PUT", headers, body: JSON.stringify({ routes: [route(service)] }) });
}

/** What `npm run routes -- check` says of a table with this service. */
async function check({ controlPlane, adminKey }: TestSystem, service: string) {
  const folder = await mkdtemp(path.join(tmpdir(), "portcullis-services-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await writeFile(path.join(folder, "routes.json"), JSON.stringify({ routes: [route(service)] }));
  const env = { ...process.env, PORTCULLIS_URL: controlPlane.href, PORTCULLIS_KEY: adminKey };
  const child = spawn(process.execPath, [COMMAND, "check"], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const status = new Promise<number | null>((resolve) => child.on("close", resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { status: await status, said: stdout + stderr };
}

it("are refused, by name and place, where the gateway is known not to be bound to them", async () => {
  const system = await started({ UPSTREAM_SERVICES: "ORDERS_API,PAYOUTS_API" });
  const refused = await publish(system, "ORDER_API");
  expect(refused.status).toBe(422);
  expect(await refused.json()).toMatchObject({
    code: "invalid_request_parameters",
    errors: [{ code: "unbound_service", field: "routes.0.upstream.1.service", message: expect.stringContaining("'ORDER_API'") }],
  });
  expect(await check(system, "ORDER_API")).toEqual({
    status: 1,
    said: expect.stringContaining("error    route 'orders': leads to the service 'ORDER_API', which the gateway is not bound to"),
  });
  expect((await publish(system, "ORDERS_API")).status).toBe(200);
  expect(await check(system, "ORDERS_API")).toMatchObject({ status: 0 });
});

it("are published where nobody knows, with a warning", async () => {
  const system = await started({});
  expect((await publish(system, "ORDER_API")).status).toBe(200);
  expect(await check(system, "ORDER_API")).toEqual({
    status: 0,
    said: expect.stringContaining("warning  route 'orders': whether the gateway is bound to 'ORDER_API' is not known"),
  });
});
