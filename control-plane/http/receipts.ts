/** Receipts: when a change is in force at every edge. */
import { receiptSchema } from "../ledger/view.ts";
import { notFound } from "./api-error.ts";
import { endpoint, type Section } from "./endpoint.ts";
import { receiptHeaders } from "./reply.ts";

/** Endpoints on receipts. */
export const receipts: Section = {
  title: "Receipts",
  endpoints: [
    endpoint({
      method: "GET",
      path: "/receipts/:receipt_id",
      operationId: "getReceipt",
      summary: "Tells whether a change is in force everywhere",
      description: "`effective_at` is null until it is. Receipts are kept for 24 hours.",
      access: "any_platform_key",
      replies: { 200: receiptSchema },
      handler: async ({ services, params: { receipt_id } }) => {
        const { cell, seq } = receipt_id;
        const receipt = await services.cells.ledger(cell).receipt(seq);
        if (!receipt) throw notFound("Receipt", `${cell}-${seq}`);
        return { status: 200, body: receipt, headers: receiptHeaders(receipt) };
      },
    }),
  ],
};
