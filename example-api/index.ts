/** A customer API to try Portcullis on: orders and invoices in memory, reads, writes and a stream. It believes what the gateway signed. */
import { env } from "cloudflare:workers";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import type { JSONWebKeySet } from "jose";
import { authenticate } from "../sdk/hono.ts";
import { createGatewayAuthenticator, type Principal } from "../sdk/index.ts";

interface Order {
  readonly id: string;
  readonly item: string;
  readonly quantity: number;
}

const orders: Order[] = [
  { id: "1", item: "Drawbridge chain", quantity: 2 },
  { id: "2", item: "Iron grille", quantity: 1 },
];
const invoices = new Map([["1", { id: "1", amount: 120, paid: false }]]);
const STREAM_EVENTS = 3;
const STREAM_INTERVAL_MS = 200;

/** Settings: PORTCULLIS_AUDIENCE, its origin as the routes name it; PORTCULLIS_KEY_SET, what the gateway signs with. */
const setting = (name: string) => String(Reflect.get(env, name));
const authenticator = createGatewayAuthenticator({
  audience: setting("PORTCULLIS_AUDIENCE"),
  keySet: JSON.parse(setting("PORTCULLIS_KEY_SET")) as JSONWebKeySet,
});

/** Who is calling, as this API shows it. */
function shown(principal: Principal) {
  const { keyId: key, organizationId: organization } = principal;
  return { key, organization, user: principal.type === "user" ? principal.userId : null };
}

const app = new Hono();
/** `GET /health`: public. */
app.get("/health", (c) => c.json({ status: "ok" }));
// Everything below it is for who came through the gateway.
const api = app.use(authenticate(authenticator));
/** `GET /orders`: all orders. */
api.get("/orders", (c) => c.json({ caller: shown(c.get("principal")), orders }));
/** `GET /orders/stream`: three orders as server-sent events, one after the other. */
api.get("/orders/stream", (c) =>
  streamSSE(c, async (stream) => {
    for (let at = 0; at < STREAM_EVENTS; at++) {
      await stream.writeSSE({ event: "order", id: String(at), data: JSON.stringify(orders[at % orders.length]) });
      await stream.sleep(STREAM_INTERVAL_MS);
    }
  }),
);
/** `GET /orders/:id`: one order; 404. */
api.get("/orders/:id", (c) => {
  const order = orders.find(({ id }) => id === c.req.param("id"));
  return order ? c.json({ caller: shown(c.get("principal")), order }) : c.json({ message: "No such order." }, 404);
});
/** `POST /orders` `{item, quantity}`: 201 the order. */
api.post("/orders", async (c) => {
  const { item, quantity } = await c.req.json<{ item?: unknown; quantity?: unknown }>();
  if (typeof item !== "string" || typeof quantity !== "number") return c.json({ message: "Send item (text) and quantity (number)." }, 400);
  const order = { id: String(orders.length + 1), item, quantity };
  orders.push(order);
  return c.json({ caller: shown(c.get("principal")), order }, 201);
});
/** `GET /invoices`: all invoices. */
api.get("/invoices", (c) => c.json({ caller: shown(c.get("principal")), invoices: [...invoices.values()] }));
/** `POST /invoices/:id/pay`: pays an invoice; 404. */
api.post("/invoices/:id/pay", (c) => {
  const invoice = invoices.get(c.req.param("id"));
  if (!invoice) return c.json({ message: "No such invoice." }, 404);
  const paid = { ...invoice, paid: true };
  invoices.set(paid.id, paid);
  return c.json({ caller: shown(c.get("principal")), invoice: paid });
});
/** `POST /echo`: the body back as it comes. */
api.post(
  "/echo",
  (c) => new Response(c.req.raw.body, { headers: { "Content-Type": c.req.header("Content-Type") ?? "application/octet-stream" } }),
);

export default app;
