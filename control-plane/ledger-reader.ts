/** The entrypoint the gateway is bound to: reads of the ledger and nothing else, so that a gateway can never issue or revoke. */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { LedgerReader as LedgerReaderContract, Observation, ObserveRequest, Resolution } from "../core/ledger-reader.ts";
import type { RouteTable } from "../core/route.ts";
import { Cells } from "./cells.ts";
import type { LedgerEnv } from "./ledger/ledger.ts";

export class LedgerReader extends WorkerEntrypoint<LedgerEnv> implements LedgerReaderContract {
  /** Floors of the token's subjects and of the route table, read now. */
  async observe(request: ObserveRequest): Promise<Observation> {
    const cells = this.#cells();
    const [token, routes] = await Promise.all([
      request.token === null ? null : cells.ledger(request.token.cell).observe(request.token.tokenId),
      cells.home().observeRoutes(),
    ]);
    return { token, routes };
  }

  /** The truth about a token. */
  async resolve(request: { readonly cell: number; readonly tokenId: string; readonly seenStamp?: number | null }): Promise<Resolution> {
    return this.#cells().ledger(request.cell).resolve(request.tokenId, request.seenStamp);
  }

  /** The route table in force. */
  async resolveRoutes(): Promise<RouteTable> {
    return this.#cells().home().resolveRoutes();
  }

  #cells(): Cells {
    return new Cells(this.env.LEDGER, Number(this.env.CELLS));
  }
}
