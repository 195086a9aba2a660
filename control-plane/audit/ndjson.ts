/**
 * The export that can be verified offline: one JSON object a line. The first line says which chain it is and where it goes on from, the last
 * one where it has come to. Without a last line it is not whole.
 */
import { chainOf } from "../ledger/audit-log.ts";
import type { ExportFormat } from "./export.ts";

/** Names the form of the lines and of what their hashes cover. */
const FORMAT = "portcullis-audit-log-1";

/** Newline-delimited JSON. */
export const NDJSON: ExportFormat = {
  begin: ({ cell, scope, stretch }) => line({ format: FORMAT, chain: chainOf(scope), cell, after: stretch.after }),
  line,
  end: ({ seq, hash }, entries) => line({ end: { entries, seq, hash } }),
  failure: line({ error: "The export ends here, before its end: the ledger could not be read. Go on from the last seq with `after`." }),
};

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`;
}
