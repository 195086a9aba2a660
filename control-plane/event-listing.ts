/**
 * Events of several cells as one list. First all cells settle, then each answers with what lies up to the time that all are settled to. No
 * cell adds anything at or before that time any more, so a list that was read to its end only ever continues there: what is listed
 * after a cursor never turns up before it later, though clocks differ and a cell commits late.
 */
import { assemblePage, walkOf, type Page, type PageRequest } from "../core/page.ts";
import type { LedgerContract } from "./ledger/contract.ts";
import type { EventFilter } from "./ledger/event-walk.ts";
import type { EventView } from "./ledger/view.ts";

/** Reads a page of events that are not later than now nor than the filter's end. */
export async function eventPage(
  cells: readonly Pick<LedgerContract, "settleEvents" | "listEvents">[],
  filter: EventFilter,
  page: PageRequest,
  nowMs: number,
): Promise<Page<EventView>> {
  const settled = await Promise.all(cells.map((cell) => cell.settleEvents(nowMs)));
  const within = { ...filter, to_ms: Math.min(filter.to_ms, ...settled) };
  return assemblePage(page, await Promise.all(cells.map((cell) => cell.listEvents(within, walkOf(page)))));
}
