/** The ways to the origin: directly, through nginx where it is installed, and through the gateway. */
import { callApi } from "../../local/api-client.ts";
import { LONG_LEASES, startTestSystem } from "../system.ts";
import { CASES, type Case } from "./cases.ts";
import { exchange } from "./client.ts";
import type { Outcome } from "./differences.ts";
import { isNginxInstalled, startNginx } from "./nginx.ts";
import { CASE_HEADER, Origin } from "./origin.ts";

/** Names of the ways. */
export type Way = "direct" | "nginx" | "gateway";

/** All that runs. */
export interface Ways extends AsyncDisposable {
  /** Sends a case on a way, by its number in {@link CASES}. One at a time. */
  run(way: Way, number: number): Promise<Outcome>;
}

/** Starts everything: one origin, and what stands before it. */
export async function startWays(): Promise<Ways> {
  const running = new AsyncDisposableStack();
  const origin = running.use(await Origin.start(CASES.map(({ answer }) => answer)));
  const system = running.use(await startTestSystem({ settings: LONG_LEASES }));
  const nginx = isNginxInstalled ? running.use(await startNginx(origin.port)) : undefined;
  const route = {
    name: "all",
    methods: ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    path: "/*",
    upstream: `http://127.0.0.1:${origin.port}`,
    permissions: { all: ["orders:read"] },
  };
  await callApi(system.controlPlane, system.adminKey, "PUT", "/routes", { routes: [route] });
  const asked = { name: "differential", permissions: ["orders:read"] };
  const key = await callApi(system.controlPlane, system.adminKey, "POST", `/organizations/${system.organizationId}/api_keys`, asked);
  const ports: Readonly<Record<Way, number>> = { direct: origin.port, nginx: nginx?.port ?? 0, gateway: Number(system.gateway.port) };
  return {
    run: async (way, number) => {
      const sent = CASES[number];
      if (!sent) throw new RangeError(`no case ${number}`);
      const got = await exchange(ports[way], bytesOf(sent, number, String(key["value"])), sent.request.startsWith("HEAD "));
      return { reached: origin.take(), got };
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** The request with what every one has: whom it is for, the key, which case it is, and that the connection ends with it. */
function bytesOf({ request }: Case, number: number, key: string): string {
  const lineEnd = /\r?\n/.exec(request)?.[0] ?? "\r\n";
  const has = (name: string) => request.includes(`${lineEnd}${name}`);
  const common = [
    ...(has("Host-Is-Absent:") ? [] : ["Host: gateway.example"]),
    `Authorization: Bearer ${key}`,
    `${CASE_HEADER}: ${number}`,
    ...(has("Connection:") ? [] : ["Connection: close"]),
  ];
  return request.replace(lineEnd, () => lineEnd + common.join(lineEnd) + lineEnd);
}
