/** A customer API to try Portcullis on: orders and invoices in memory, reads, writes and a stream. It trusts the gateway's identity headers. */
import { Hono, type Context } from "hono";
import { streamSSE } from "hono/streaming";

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

/** Who the gateway says is calling. */
function caller(c: Context) {
  return {
    key: c.req.header("Portcullis-Key-Id") ?? null,
    organization: c.req.header("Portcullis-Organization-Id") ?? null,
    user: c.req.header("Portcullis-User-Id") ?? null,
  };
}

const app = new Hono();
/** `GET /health`: public. */
app.get("/health", (c) => c.json({ status: "ok" }));
/** `GET /orders`: all orders. */
app.get("/orders", (c) => c.json({ caller: caller(c), orders }));
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
app.get("/orders/:id", (c) => {
  const order = orders.find(({ id }) => id === c.req.param("id"));
  return order ? c.json({ caller: caller(c), order }) : c.json({ message: "No such order." }, 404);
});
/** `POST /orders` `{item, quantity}`: 201 the order. */
app.post("/orders", async (c) => {
  const { item, quantity } = await c.req.json<{ item?: unknown; quantity?: unknown }>();
  if (typeof item !== "string" || typeof quantity !== "number") return c.json({ message: "Send item (text) and quantity (number)." }, 400);
  const order = { id: String(orders.length + 1), item, quantity };
  orders.push(order);
  return c.json({ caller: caller(c), order }, 201);
});
/** `GET /invoices`: all invoices. */
app.get("/invoices", (c) => c.json({ caller: caller(c), invoices: [...invoices.values()] }));
/** `POST /invoices/:id/pay`: pays an invoice; 404. */
app.post("/invoices/:id/pay", (c) => {
  const invoice = invoices.get(c.req.param("id"));
  if (!invoice) return c.json({ message: "No such invoice." }, 404);
  const paid = { ...invoice, paid: true };
  invoices.set(paid.id, paid);
  return c.json({ caller: caller(c), invoice: paid });
});
/** `POST /echo`: the body back as it comes. */
app.post(
  "/echo",
  (c) => new Response(c.req.raw.body, { headers: { "Content-Type": c.req.header("Content-Type") ?? "application/octet-stream" } }),
);

export default app;
