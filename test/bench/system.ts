/** Everything that is measured, on one workerd: the gateway as shipped, one that counts, and the bare Workers to compare with. */
import { randomBytes } from "node:crypto";
import path from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions as workerOptionsOf } from "wrangler";
import { hmacSha256 } from "../../core/digest.ts";
import { RequestIds } from "../../core/request-id.ts";
import { generateToken } from "../../core/token.ts";
import { callApi } from "../../local/api-client.ts";
import { freePort } from "../../local/free-ports.ts";
import { bundle } from "../../local/platform.ts";
import { makeSecrets } from "../../local/secrets.ts";
import { exampleRoutes, firstAdminKey, seed } from "../../local/seed.ts";
import { refusalResponse } from "../../worker/refusal.ts";
import { FEATURE_ROUTES, LEFT_OUT, type FeatureRoute, type LesserGateway } from "./features.ts";

/** Where the Workers listen, and the keys to send them. */
export interface BenchSystem extends AsyncDisposable {
  readonly urls: Readonly<
    Record<"gateway" | "countingGateway" | "strict" | "countingStrict" | "naive" | "ttl60" | "passThrough" | "bare401", string>
  >;
  /** The gateway on a route that does more, and one that counts its calls. */
  readonly features: Readonly<Record<FeatureRoute | LesserGateway, { readonly url: string; readonly countingUrl: string }>>;
  readonly keys: Readonly<Record<"warm" | "forged" | "malformed", string>>;
  /** More keys like the warm one. */
  makeKeys(count: number): Promise<string[]>;
  /** Where a Worker can be inspected, in a system that was started for it. */
  inspector(worker: string): URL;
}

const ROOT = path.resolve(import.meta.dirname, "../..");
const WORKERS = path.join(import.meta.dirname, "workers");
const COUNTING = path.join(WORKERS, "counting-gateway.ts");
const COMPATIBILITY_DATE = "2026-10-01";
const MEASURED_PATH = "orders";
const KEYS_MADE_AT_ONCE = 16;
/** The same with freshness 0. */
const STRICT_PATH = "strict";

/** Starts and seeds it. Inspection slows everything down a little. */
export async function startBenchSystem({ isInspected = false } = {}): Promise<BenchSystem> {
  const secrets = makeSecrets();
  const gatewaySettings = { REGION: "local", ...secrets.gateway };
  const issuerSettings = { CALLER_REQUESTS_PER_MINUTE: "1000000", ...secrets.controlPlane };
  const upstreamPort = await freePort();
  const upstream = `http://127.0.0.1:${upstreamPort}`;
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers: await Promise.all([
        shippedWorker("gateway", "wrangler.toml", gatewaySettings),
        shippedWorker("counting-gateway", "wrangler.toml", gatewaySettings, COUNTING),
        ...Object.entries(LEFT_OUT).flatMap(([name, settings]) => [
          shippedWorker(name, "wrangler.toml", { ...gatewaySettings, ...settings }),
          shippedWorker(`counting-${name}`, "wrangler.toml", { ...gatewaySettings, ...settings }, COUNTING),
        ]),
        shippedWorker("naive", "wrangler.toml", gatewaySettings, path.join(WORKERS, "naive.ts")),
        shippedWorker("ttl60", "wrangler.toml", gatewaySettings, path.join(WORKERS, "ttl60.ts")),
        shippedWorker("portcullis-control-plane", "control-plane/wrangler.toml", issuerSettings),
        bareWorker("upstream", {}, upstreamPort),
        bareWorker("pass-through", { UPSTREAM: upstream }),
        bareWorker("bare-401", await refusalAsBindings()),
      ]),
      log: new Log(LogLevel.NONE),
      handleStructuredLogs: () => {},
      ...(isInspected && { inspectorPort: 0 }),
    }),
  );
  await miniflare.ready;
  const base = async (name: string) => (await miniflare.unsafeGetDirectURL(name)).href;
  const issuer = await issuerOf(new URL(await base("portcullis-control-plane")), secrets.controlPlane.BOOTSTRAP_SECRET, upstream);
  const inspectorBase = isInspected ? await miniflare.getInspectorURL() : undefined;
  const url = async (name: string, measured = MEASURED_PATH) => (await base(name)) + measured;
  const onRoute = async (route: FeatureRoute) => ({ url: await url("gateway", route), countingUrl: await url("counting-gateway", route) });
  return {
    urls: {
      gateway: await url("gateway"),
      countingGateway: await url("counting-gateway"),
      strict: await url("gateway", STRICT_PATH),
      countingStrict: await url("counting-gateway", STRICT_PATH),
      naive: await url("naive"),
      ttl60: await url("ttl60"),
      passThrough: await url("pass-through"),
      bare401: await url("bare-401"),
    },
    features: {
      without_assertion: { url: await url("without_assertion"), countingUrl: await url("counting-without_assertion") },
      without_usage: { url: await url("without_usage"), countingUrl: await url("counting-without_usage") },
      with_limits: await onRoute("with_limits"),
      with_header_rules: await onRoute("with_header_rules"),
      with_cors: await onRoute("with_cors"),
      with_timeouts: await onRoute("with_timeouts"),
      all_features: await onRoute("all_features"),
    },
    keys: {
      warm: await issuer(),
      forged: forgedKey(),
      malformed: "sk_live_51H8zQ2eZvKYlo2C0aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789",
    },
    makeKeys: (count) => many(issuer, count),
    inspector: (worker) => new URL(`/core:user:${worker}`, inspectorBase),
    [Symbol.asyncDispose]: () => miniflare.dispose(),
  };
}

/** A Worker with the settings of its wrangler.toml, and with another main module if one is given. */
async function shippedWorker(name: string, configuration: string, secrets: Readonly<Record<string, string>>, entry?: string) {
  const { main, workerOptions } = workerOptionsOf(path.join(ROOT, configuration));
  const settings = workerOptions["bindings"] as Record<string, string> | undefined;
  return { ...workerOptions, name, bindings: { ...settings, ...secrets }, ...(await listening(entry ?? main ?? "")) };
}

async function bareWorker(name: string, bindings: Record<string, string | Record<string, string>>, port = 0) {
  return { name, compatibilityDate: COMPATIBILITY_DATE, bindings, ...(await listening(path.join(WORKERS, `${name}.ts`), port)) };
}

async function listening(entry: string, port = 0) {
  return {
    modules: [{ type: "ESModule" as const, path: "index.mjs", contents: await bundle(entry) }],
    unsafeDirectSockets: [{ host: "127.0.0.1", port }],
  };
}

/** A refusal as the gateway sends it, for the bare Worker to send at once. */
async function refusalAsBindings() {
  const requestIds = new RequestIds((target) => crypto.getRandomValues(target as Uint8Array<ArrayBuffer>));
  const refusal = refusalResponse("forged_token", { requestId: requestIds.next(), method: "GET" });
  return { BODY: await refusal.text(), HEADERS: Object.fromEntries(refusal.headers) };
}

/** Makes keys of the seeded organization that may read what is measured. */
async function issuerOf(controlPlane: URL, bootstrapSecret: string, upstream: string): Promise<() => Promise<string>> {
  const adminKey = await firstAdminKey(controlPlane, bootstrapSecret);
  const { organizationId } = await seed(controlPlane, adminKey, upstream);
  const route = (name: string, more: object) => ({
    name,
    methods: ["GET"],
    path: `/${name}`,
    upstream,
    permissions: { all: ["orders:read"] },
    ...more,
  });
  const routes = [
    ...exampleRoutes(upstream),
    route(STRICT_PATH, { freshness: 0 }),
    ...Object.entries(FEATURE_ROUTES).map(([name, more]) => route(name, more)),
  ];
  await callApi(controlPlane, adminKey, "PUT", "/routes", { routes });
  const order = { name: "Benchmark", permissions: ["orders:read"] };
  return async () => {
    const key = await callApi(controlPlane, adminKey, "POST", `/organizations/${organizationId}/api_keys`, order);
    return String(key["value"]);
  };
}

/** Makes several, a few at once. */
async function many(issuer: () => Promise<string>, count: number): Promise<string[]> {
  const keys: string[] = [];
  const makeSome = async () => {
    while (keys.length < count) keys.push(await issuer());
  };
  await Promise.all(Array.from({ length: KEYS_MADE_AT_ONCE }, makeSome));
  return keys.slice(0, count);
}

/** Right in form and checksum, tagged under a key that is not the installation's. */
function forgedKey(): string {
  const tagKeys = { current: "A", byId: new Map([["A", randomBytes(32)]]) };
  const ports = {
    randomBytes: (target: Uint8Array) => crypto.getRandomValues(target as Uint8Array<ArrayBuffer>),
    hmacSha256,
  };
  return generateToken({ prefix: "pc", environment: "live", cell: 0 }, tagKeys, ports).token;
}
