/** Looking at a cell's ledger: its entries, and whether its hash chain holds. */
import { z } from "zod";
import type { LedgerContract } from "../ledger/contract.ts";
import { CHAIN_START, type ChainCheck } from "../ledger/journal.ts";
import { entrySchema } from "../ledger/view.ts";
import { endpoint, type Section } from "./endpoint.ts";
import { listOf, ok } from "./reply.ts";

const ENTRIES_MAX = 100;

/** Endpoints on a cell. */
export const ledgerInspection: Section = {
  title: "Ledger",
  endpoints: [
    endpoint({
      method: "GET",
      path: "/ledger/:cell/verify",
      operationId: "verifyLedger",
      summary: "Recomputes a cell's hash chain",
      description: "`hash` is the last one that fits, `broken_at` the first seq that does not, or null.",
      access: "portcullis:ledger:read",
      replies: { 200: z.object({ entries: z.number().int(), hash: z.string(), broken_at: z.number().int().nullable() }) },
      handler: async ({ services, params }) => {
        const check = await verifyWhole(services.cells.ledger(params.cell));
        return ok({ entries: check.seq, hash: check.hash, broken_at: check.brokenAt });
      },
    }),

    endpoint({
      method: "GET",
      path: "/ledger/:cell/entries",
      operationId: "listLedgerEntries",
      summary: "Lists a cell's entries, oldest first, at most 100",
      access: "portcullis:ledger:read",
      query: z.object({
        after: z
          .string()
          .regex(/^\d{1,15}$/, "must be the seq of an entry")
          .meta({ publishedAs: { type: "integer", minimum: 0, default: 0 } })
          .default("0")
          .describe("The seq after which to begin."),
      }),
      replies: { 200: listOf(entrySchema) },
      handler: async ({ services, params, query }) =>
        ok({ object: "list", data: await services.cells.ledger(params.cell).entries(Number(query.after), ENTRIES_MAX) }),
    }),
  ],
};

/** Checks a cell's chain from its start, a part at a time. */
async function verifyWhole(ledger: LedgerContract): Promise<ChainCheck> {
  let check = await ledger.verify(CHAIN_START);
  while (!check.isEnd) check = await ledger.verify(check);
  return check;
}
