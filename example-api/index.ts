/** A customer API to try Portcullis on: orders and invoices in memory, reads, writes and a stream. It believes what the gateway signed. */
import { env } from "cloudflare:workers";
import { Hono, type Context } from "hono";
import { streamSSE } from "hono/streaming";
import { createLocalJWKSet, errors, jwtVerify, type JSONWebKeySet } from "jose";

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

const keySet = createLocalJWKSet(JSON.parse(String(Reflect.get(env, "PORTCULLIS_KEY_SET"))) as JSONWebKeySet);

/** Who the gateway says is calling; throws for what the gateway did not sign, or did not sign for this API. */
async function caller(c: Context) {
  const { payload } = await jwtVerify(c.req.header("Portcullis-Assertion") ?? "", keySet, {
    issuer: "portcullis",
    audience: new URL(c.req.url).origin,
    algorithms: ["ES256"],
    typ: "portcullis-assertion+jwt",
  });
  const { key_id: key, organization_id: organization, sub: owner } = payload;
  return { key, organization, user: owner === organization ? null : owner };
}

const app = new Hono();
app.onError((error, c) => {
  if (error instanceof errors.JOSEError) return c.json({ message: "Only requests that came through the gateway are answered." }, 401);
  console.error(error);
  return c.json({ message: "Something went wrong." }, 500);
});
/** `GET /health`: public. */
app.get("/health", (c) => c.json({ status: "ok" }));
/** `GET /orders`: all orders. */
app.get("/orders", async (c) => c.json({ caller: await caller(c), orders }));
/** `GET /orders/stream`: three orders as server-sent events, one after the other. */
app.get("/orders/stream", (c) =>
  streamSSE(c, async (stream) => {
    for (let at = 0; at < STREAM_EVENTS; at++) {
      await stream.writeSSE({ event: "order", id: String(at), data: JSON.stringify(orders[at % orders.length]) });
      await stream.sleep(STREAM_INTERVAL_MS);
    }
  }),
);
/** `GET /orders/:id`: one order; 404. */
app.get("/orders/:id", async (c) => {
  const order = orders.find(({ id }) => id === c.req.param("id"));
  return order ? c.json({ caller: await caller(c), order }) : c.json({ message: "No such order." }, 404);
});
/** `POST /orders` `{item, quantity}`: 201 the order. */
app.post("/orders", async (c) => {
  const { item, quantity } = await c.req.json<{ item?: unknown; quantity?: unknown }>();
  if (typeof item !== "string" || typeof quantity !== "number") return c.json({ message: "Send item (text) and quantity (number)." }, 400);
  const order = { id: String(orders.length + 1), item, quantity };
  orders.push(order);
  return c.json({ caller: await caller(c), order }, 201);
});
/** `GET /invoices`: all invoices. */
app.get("/invoices", async (c) => c.json({ caller: await caller(c), invoices: [...invoices.values()] }));
/** `POST /invoices/:id/pay`: pays an invoice; 404. */
app.post("/invoices/:id/pay", async (c) => {
  const invoice = invoices.get(c.req.param("id"));
  if (!invoice) return c.json({ message: "No such invoice." }, 404);
  const paid = { ...invoice, paid: true };
  invoices.set(paid.id, paid);
  return c.json({ caller: await caller(c), invoice: paid });
});
/** `POST /echo`: the body back as it comes. */
app.post(
  "/echo",
  (c) => new Response(c.req.raw.body, { headers: { "Content-Type": c.req.header("Content-Type") ?? "application/octet-stream" } }),
);

export default app;
