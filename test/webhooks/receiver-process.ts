/**
 * A customer's webhook receiver on a bad day, as a process of its own with real sockets. Its clock is told by the tests, and both libraries
 * verify by that clock. Deliveries go to `/hooks/<name>`; `/control/…` is the tests' way in. Says its origin to its parent and ends with it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { WorkOS } from "@workos-inc/node";
import { Webhook } from "standardwebhooks";
import { Random } from "../random.ts";
import { FATES, type Arrival, type Fate, type HookSettings, type NamedSecret, type Report } from "./report.ts";

/** Long after the tests' senders have given up, in ms, and well before. */
const TOO_LATE_MS = 2_000;
const SLOWLY_MS = 40;
const CHUNK = "x".repeat(16_384);

interface Hook {
  settings: HookSettings;
  readonly deck: Fate[];
  readonly arrivals: Arrival[];
}

const workos = new WorkOS("sk_test_of_the_receiver");
const chance = new Random(20_261_130);
const hooks = new Map<string, Hook>();
let followed = 0;
let endless = 0;

const server = createServer((request, response) => {
  // Whoever is cut off does not want to hear of it.
  response.on("error", () => undefined);
  request.on("error", () => undefined);
  void answer(request, response).catch(() => response.destroy());
});
// The senders' patience is what is tested.
server.requestTimeout = 0;

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, room, name = ""] = (request.url ?? "").split("/");
  const body = await text(request);
  if (room === "hooks") return receive(hookOf(name), request, body, response);
  if (room === "control") return void response.writeHead(200).end(JSON.stringify(control(name, body)));
  followed += 1;
  response.writeHead(200).end();
}

/** Orders of the tests: the time, how a hook is to behave, and what has been seen. */
function control(order: string, body: string): unknown {
  if (order === "clock") {
    const nowMs = Number(body);
    Date.now = () => nowMs;
  } else if (order === "report") {
    const arrivals = Object.fromEntries([...hooks].map(([name, hook]) => [name, hook.arrivals]));
    return { arrivals, followed, endless } satisfies Report;
  } else {
    const hook = hookOf(order);
    hook.settings = JSON.parse(body) as HookSettings;
    hook.deck.length = 0;
  }
  return {};
}

function hookOf(name: string): Hook {
  const hook = hooks.get(name) ?? { settings: { secrets: [], fates: ["accepts"] }, deck: [], arrivals: [] };
  hooks.set(name, hook);
  return hook;
}

async function receive(hook: Hook, { headers }: IncomingMessage, body: string, response: ServerResponse): Promise<void> {
  const { secrets } = hook.settings;
  const header = (name: string) => String(headers[name] ?? "");
  const standard = secrets.filter((known) => verifiesStandard(known, body, headers));
  const workosOnes = await verifiedByWorkos(secrets, body, header("workos-signature"));
  const workosNext = await verifiedByWorkos(secrets, body, header("workos-signature-next"));
  const isVerified = standard.length > 0 && workosOnes.length + workosNext.length > 0;
  const fate = isVerified ? dealt(hook) : "not_verified";
  hook.arrivals.push({
    atMs: Date.now(),
    body,
    webhookId: header("webhook-id"),
    fate,
    isTaken: fate !== "not_verified" && FATES[fate].takes,
    standard: standard.map(({ name }) => name),
    workos: workosOnes.map(({ name }) => name),
    workosNext: workosNext.map(({ name }) => name),
  });
  if (fate === "not_verified") response.writeHead(401).end();
  else meetFate(fate, response);
}

function verifiesStandard({ secret }: NamedSecret, body: string, headers: IncomingMessage["headers"]): boolean {
  try {
    new Webhook(secret).verify(body, headers as Record<string, string>);
    return true;
  } catch {
    return false;
  }
}

async function verifiedByWorkos(secrets: readonly NamedSecret[], body: string, sigHeader: string): Promise<NamedSecret[]> {
  const verdicts = await Promise.all(
    secrets.map(async ({ secret }) => {
      try {
        await workos.webhooks.constructEvent({ payload: JSON.parse(body) as Record<string, unknown>, sigHeader, secret });
        return true;
      } catch {
        return false;
      }
    }),
  );
  return secrets.filter((_, nth) => verdicts[nth]);
}

/** Each of the hook's fates once, in a random order, and then anew. */
function dealt({ deck, settings: { fates } }: Hook): Fate {
  if (deck.length === 0) deck.push(...fates);
  const [fate] = deck.splice(chance.between(0, deck.length - 1), 1);
  return fate ?? "accepts";
}

function meetFate(fate: Fate, response: ServerResponse): void {
  const { socket } = response;
  switch (fate) {
    case "accepts":
      return void response.writeHead(204).end();
    case "answers_slowly":
      return void setTimeout(() => response.writeHead(200).end("taken"), SLOWLY_MS);
    case "answers_without_end":
      return neverEnding(response, () => response.write(CHUNK), 200);
    case "closes_within_its_answer":
      response.writeHead(200, { "Content-Length": 1_000 });
      return void response.write("taken", () => socket?.destroy());
    case "answers_too_late":
      return void setTimeout(() => response.writeHead(200).end("taken"), TOO_LATE_MS);
    case "closes_having_taken":
    case "closes_at_once":
      return void socket?.destroy();
    case "closes_within_its_status":
      return void socket?.write("HTTP/1.1 200 O", () => socket.destroy());
    case "drips_headers":
      socket?.write("HTTP/1.1 200 OK\r\n");
      return neverEnding(response, () => socket?.write("X-More: x\r\n"));
    case "fails":
      return void response.writeHead(500).end("no");
    case "fails_without_end":
      return neverEnding(response, () => response.write(CHUNK), 500);
    case "hangs":
      return;
    case "redirects":
      return void response.writeHead(307, { Location: "/elsewhere" }).end();
    case "speaks_no_http":
      return void socket?.end("220 mail.example.com ESMTP\r\n");
  }
}

/** Goes on until the other side has had enough. */
function neverEnding(response: ServerResponse, more: () => unknown, status?: number): void {
  endless += 1;
  if (status !== undefined) response.writeHead(status, { "Content-Type": "text/plain" });
  const timer = setInterval(more, 5);
  response.on("close", () => {
    clearInterval(timer);
    endless -= 1;
  });
}

server.listen(0, "127.0.0.1", () => process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
process.on("disconnect", () => process.exit());
