/** Entries of types that no code here appends, as another version's code may have left them in a cell. */
import type { EntryType } from "../../control-plane/ledger/event-catalogue.ts";

/** The type by this name. */
export function foreignEntry(name: string): EntryType {
  return name as EntryType;
}
