/**
 * An export of the audit log as a stream. The ledger is asked for the next page when whoever reads has taken the one before, so an
 * export of any size needs the memory of one page; who goes away ends it. It ends at the entry that was the last when it began.
 */
import type { AuditScope, AuditStretch } from "../ledger/audit-log.ts";
import type { LedgerContract } from "../ledger/contract.ts";
import type { AuditExportLine } from "../ledger/audit-view.ts";

/** What is exported, from where. */
export interface AuditExport {
  readonly ledger: Pick<LedgerContract, "auditExportPage">;
  readonly cell: number;
  readonly scope: AuditScope;
  readonly stretch: AuditStretch;
  /** Which lines are written; absent: all. What can be verified has all. */
  readonly isWanted?: (line: AuditExportLine) => boolean;
}

/** A form that exports have. */
export interface ExportFormat {
  readonly begin: (exported: AuditExport) => string;
  readonly line: (line: AuditExportLine, exported: AuditExport) => string;
  /** What follows the last line, from the place in the chain that was reached. */
  readonly end: (last: { readonly seq: number; readonly hash: string }, lines: number) => string;
  /** What is said when the rest cannot be had; null to break the connection off. */
  readonly failure: string | null;
}

/** The export in a format, in UTF-8. */
export function auditStream(exported: AuditExport, format: ExportFormat): ReadableStream<Uint8Array> {
  const { ledger, scope, stretch, isWanted = () => true } = exported;
  const encoder = new TextEncoder();
  let last = stretch.after;
  let lines = 0;
  return new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encoder.encode(format.begin(exported)));
    },
    async pull(controller) {
      try {
        const page = last.seq < stretch.through ? await ledger.auditExportPage(scope, last.seq, stretch.through) : [];
        const end = page.at(-1);
        if (end) {
          last = { seq: end.seq, hash: end.hash };
          lines += page.length;
          const written = page.filter(isWanted).map((line) => format.line(line, exported));
          if (written.length > 0) controller.enqueue(encoder.encode(written.join("")));
        }
        if (last.seq < stretch.through) {
          if (!end) throw new Error("the log ends before its end");
          return;
        }
        controller.enqueue(encoder.encode(format.end(last, lines)));
        controller.close();
      } catch (error) {
        console.log(JSON.stringify({ event: "audit_export_failed", cell: exported.cell, lines, name: nameOf(error) }));
        if (format.failure === null) return controller.error(error);
        controller.enqueue(encoder.encode(format.failure));
        controller.close();
      }
    },
  });
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "unknown";
}
