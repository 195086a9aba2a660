/**
 * A peer in Node: better-auth's API key plugin, with its keys in memory, behind a plain HTTP server; and the same server without
 * it. Started as a process of its own; tells its address and a key, and ends with its parent.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";

/** What the parent is told. */
export interface PeerStarted {
  readonly port: number;
  readonly key: string;
}

const BODY = JSON.stringify({ orders: [{ id: "1", item: "Drawbridge chain", quantity: 2 }] });

const auth = betterAuth({
  baseURL: "http://127.0.0.1",
  secret: "guards nothing: it is made for a benchmark",
  database: memoryAdapter({ user: [], session: [], account: [], verification: [], apikey: [] }),
  emailAndPassword: { enabled: true },
  telemetry: { enabled: false },
  logger: { disabled: true },
  plugins: [apiKey({ rateLimit: { enabled: false } })],
});
const { user } = await auth.api.signUpEmail({ body: { email: "bench@example.com", password: "only-for-a-benchmark", name: "Bench" } });
const { key } = await auth.api.createApiKey({ body: { userId: user.id, name: "bench" } });

/** `/bare` answers at once, everything else for a valid key only. */
async function isAllowed(request: IncomingMessage): Promise<boolean> {
  if (request.url === "/bare") return true;
  const presented = request.headers.authorization?.slice("Bearer ".length) ?? "";
  return (await auth.api.verifyApiKey({ body: { key: presented } })).valid;
}

const server = createServer((request, response) => {
  void isAllowed(request).then((allowed) => response.writeHead(allowed ? 200 : 401, { "Content-Type": "application/json" }).end(BODY));
}).listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port, key } satisfies PeerStarted));
process.on("disconnect", () => process.exit());
