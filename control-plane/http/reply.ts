/** What handlers answer, and the schemas those answers have. */
import { z } from "zod";
import type { DeniedError } from "./api-error.ts";
import { receiptSchema, type ReceiptView, type View } from "../ledger/view.ts";

/** A body that is not JSON. */
export interface Media {
  readonly mediaType: string;
}

/** The statuses of success an endpoint may have. */
export type SuccessStatus = 200 | 201 | 202 | 204;

/** The replies an endpoint declares: by status, a schema for JSON, a media type for anything else, null for no body. */
export type Replies = { readonly [Status in SuccessStatus]?: z.ZodType | Media | null };

/** A reply in the words of the ledger, which keeps it as JSON and so without its type. */
export type LedgerReply = Record<string, unknown> & { readonly [fromLedger]: true };
declare const fromLedger: unique symbol;

type BodyOf<Shape> = Shape extends z.ZodType ? View<Shape> | LedgerReply : Shape extends Media ? string | ReadableStream : null;

/** One of the replies declared. */
export type ReplyTo<Declared extends Replies> = {
  [Status in keyof Declared & SuccessStatus]: Reply<Status, BodyOf<Declared[Status]>>;
}[keyof Declared & SuccessStatus];

/** A status and what goes with it. */
export interface Reply<Status = SuccessStatus, Body = unknown> {
  readonly status: Status;
  readonly body: Body;
  readonly headers?: Readonly<Record<string, string>>;
  /** Parts of what was asked for that were refused while others were done; they go on record. */
  readonly denied?: readonly DeniedError[];
}

/** What a command came to. */
export interface Committed {
  readonly reply: LedgerReply;
  /** Null when the change takes nothing away from anyone. */
  readonly receipt: ReceiptView | null;
}

/** 200 with a body. */
export function ok<const Body>(body: Body): Reply<200, Body> {
  return { status: 200, body };
}

/** 201 with what was made, which takes nothing away from anyone, and perhaps more that is said this once. */
export function created({ reply }: Committed, more: Readonly<Record<string, unknown>> = {}): Reply<201, LedgerReply> {
  return { status: 201, body: { ...reply, ...more } };
}

/** 200 with what was changed where no record speaks of it: then it takes nothing away from anyone. */
export function settled({ reply }: Committed): Reply<200, LedgerReply> {
  return { status: 200, body: reply };
}

/**
 * 200 with what was changed. With `receiptInBody` (our own endpoints; WorkOS's shapes stay as they are) the receipt is a member of the
 * body. While the change is not in force everywhere, which only happens to who asked for that: 202.
 */
export function changed({ reply, receipt }: Committed, { receiptInBody = false } = {}): Reply<200 | 202, LedgerReply> {
  if (receipt?.effective_at === null) return { status: 202, body: { ...reply, receipt }, headers: pendingHeaders(receipt) };
  return { status: 200, body: receiptInBody ? { ...reply, receipt } : reply, headers: receiptHeaders(receipt) };
}

/** 204 for what has ended; 202 with the receipt while that is not in force everywhere. */
export function ended({ receipt }: Committed): Reply<204, null> | Reply<202, ReceiptView> {
  if (receipt?.effective_at === null) return { status: 202, body: receipt, headers: pendingHeaders(receipt) };
  return { status: 204, body: null, headers: receiptHeaders(receipt) };
}

/** The replies of {@link changed}. */
export function inForce<Shape extends z.ZodRawShape>(schema: z.ZodObject<Shape>) {
  return { 200: schema, 202: schema.extend({ receipt: receiptSchema }) } as const;
}

/** The replies of {@link changed} with `receiptInBody`. */
export function inForceWithReceipt<Shape extends z.ZodRawShape>(schema: z.ZodObject<Shape>) {
  return { 200: schema.extend({ receipt: receiptSchema.nullable() }), 202: schema.extend({ receipt: receiptSchema }) } as const;
}

/** The replies of {@link ended}. */
export const ENDED = { 202: receiptSchema, 204: null } as const;

/** One page of a list. */
export function pageOf<Row extends z.ZodType>(row: Row) {
  const cursor = z.string().nullable();
  return z.object({ object: z.literal("list"), data: z.array(row), list_metadata: z.object({ before: cursor, after: cursor }) });
}

/** A list that comes whole. */
export function listOf<Row extends z.ZodType>(row: Row) {
  return z.object({ object: z.literal("list"), data: z.array(row) });
}

/** The receipt as a header, where there is one: a dictionary of RFC 9651 with entry, times, and each replica with how it ended. */
export function receiptHeaders(receipt: ReceiptView | null): Readonly<Record<string, string>> {
  if (!receipt) return {};
  const { cell, seq, committed_at, effective_at, replicas } = receipt;
  const outcomes = Object.entries(replicas).map(([replica, outcome]) => `"${replica}";outcome=${outcome}`);
  const effective = effective_at === null ? "effective_at=?0" : `effective_at="${effective_at}"`;
  const value = `cell=${cell}, seq=${seq}, committed_at="${committed_at}", ${effective}, replicas=(${outcomes.join(" ")})`;
  return { "Portcullis-Receipt": value };
}

/** RFC 7240: where to look, and that it was as asked for. */
function pendingHeaders(receipt: ReceiptView): Readonly<Record<string, string>> {
  return { ...receiptHeaders(receipt), Location: `/receipts/${receipt.id}`, "Preference-Applied": "respond-async" };
}
