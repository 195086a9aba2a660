/** The installation that is compared: as the product is delivered. */
import { tunablesOf, tunablesSchema, type Tunables } from "../../../core/protocol/tunables.ts";

/** Cells of the ledger. */
export const CELLS = 16;
/** The lease protocol's settings. */
export const TUNABLES: Tunables = tunablesOf(tunablesSchema.parse({}));
