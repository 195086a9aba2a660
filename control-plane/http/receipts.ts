/** Receipts: when a change is in force at every edge, and the answers of calls that change something. */
import { Hono, type Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { ReceiptView } from "../ledger/view.ts";
import { notFound } from "./api-error.ts";
import { authenticate } from "./caller.ts";
import type { AppEnvironment, Services } from "./endpoint.ts";

/** What a command came to. */
export interface Committed {
  readonly reply: Record<string, unknown>;
  /** Null when the change takes nothing away from anyone. */
  readonly receipt: ReceiptView | null;
}

/** Whether the caller would rather not wait (RFC 7240 section 4.1). */
export function prefersAsync(request: Request): boolean {
  return /(?:^|,)\s*respond-async\s*(?:$|[,;])/i.test(request.headers.get("prefer") ?? "");
}

/**
 * Answers a call that changed something. With `receiptInBody` (our own endpoints; WorkOS's shapes stay as they are) the receipt is a
 * member of the body. While the change is not in force everywhere, which only happens to who asked for that: 202 with `Location`.
 */
export function answerCommitted(
  c: Context<AppEnvironment>,
  { reply, receipt }: Committed,
  { status, receiptInBody = false }: { readonly status: ContentfulStatusCode | 204; readonly receiptInBody?: boolean },
): Response {
  if (receipt) c.header("Portcullis-Receipt", receiptHeader(receipt));
  if (receipt?.effective_at === null) {
    c.header("Location", `/receipts/${receipt.id}`);
    c.header("Preference-Applied", "respond-async");
    return c.json(status === 204 ? receipt : { ...reply, receipt }, 202);
  }
  if (status === 204) return c.body(null, 204);
  return c.json(receiptInBody ? { ...reply, receipt } : reply, status);
}

/** Endpoints under `/receipts`. */
export function receiptRoutes(services: Services): Hono<AppEnvironment> {
  /** `GET /receipts/:id`: 200 the receipt, for whoever may call at all; `effective_at` is null until the entry is in force. 404 after a day. */
  return new Hono<AppEnvironment>().get("/:id", async (c) => {
    await authenticate(c.req.raw, services.configuration, services.cells, services.now());
    const id = c.req.param("id");
    const [, cell, seq] = /^(\d{1,2})-(\d{1,15})$/.exec(id) ?? [];
    const isCell = cell !== undefined && Number(cell) < services.cells.count;
    const receipt = isCell ? await services.cells.ledger(Number(cell)).receipt(Number(seq)) : null;
    if (!receipt) throw notFound("Receipt", id);
    c.header("Portcullis-Receipt", receiptHeader(receipt));
    return c.json(receipt);
  });
}

/** As a dictionary of RFC 9651: entry, times, and each replica with how it ended. */
function receiptHeader({ cell, seq, committed_at, effective_at, replicas }: ReceiptView): string {
  const ended = Object.entries(replicas).map(([replica, outcome]) => `"${replica}";outcome=${outcome}`);
  const effective = effective_at === null ? "effective_at=?0" : `effective_at="${effective_at}"`;
  return `cell=${cell}, seq=${seq}, committed_at="${committed_at}", ${effective}, replicas=(${ended.join(" ")})`;
}
