/** Stands between an app and what it asks: counts the questions, and can be made to fail as networks and services do. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** What it does with a request: pass it on, never answer, cut the connection, answer with this status, or with 200 and nonsense. */
type Behaviour = "pass" | "hang" | "cut" | "nonsense" | number;

/** A running relay. */
export interface Relay extends AsyncDisposable {
  readonly origin: string;
  /** Requests that have come so far. */
  asked: number;
  behaviour: Behaviour;
}

/** A relay to whatever `answer` answers. */
export async function relayTo(answer: (path: string, init: RequestInit) => Response | Promise<Response>): Promise<Relay> {
  const pass = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await buffer(request);
    const headers = { Authorization: request.headers.authorization ?? "", "Content-Type": "application/json" };
    const init = { method: request.method ?? "GET", ...(body.length > 0 && { headers, body: String(body) }) };
    const answered = await answer(request.url ?? "/", init);
    response.writeHead(answered.status, { "Content-Type": "application/json" }).end(await answered.text());
  };
  const server = createServer((request, response) => {
    relay.asked += 1;
    switch (relay.behaviour) {
      case "pass":
        return void pass(request, response);
      case "hang":
        return undefined;
      case "cut":
        return void request.socket.destroy();
      case "nonsense":
        return void response.writeHead(200, { "Content-Type": "application/json" }).end('{"api_key": {"id": 7}}');
      default:
        return void response.writeHead(relay.behaviour).end("{}");
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const relay: Relay = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: 0,
    behaviour: "pass",
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return relay;
}
