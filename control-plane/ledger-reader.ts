/** The entrypoint the gateway is bound to: reads of the ledger and nothing else, so that a gateway can never issue or revoke. */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { LedgerReader as LedgerReaderContract, Resolution } from "../core/ledger-reader.ts";
import type { SyncAnswer, SyncRequest } from "../core/protocol/messages.ts";
import { regionOfReplica } from "../core/protocol/region.ts";
import type { RouteTable } from "../core/route.ts";
import { Cells } from "./cells.ts";
import type { LedgerReplica } from "./ledger-replica.ts";
import type { LedgerEnv } from "./ledger/ledger.ts";

/** The `LedgerReader` entrypoint. Rejects when a cell or a replica cannot be reached. */
export class LedgerReader extends WorkerEntrypoint<LedgerEnv> implements LedgerReaderContract {
  /** What a replica knows. The first call to a replica of this name decides where it is created. */
  async sync(replica: string, request: SyncRequest): Promise<SyncAnswer> {
    return this.#replica(replica).sync(request);
  }

  /** Which of the cells answer a replica. */
  async probe(replica: string, cells: readonly number[]): Promise<readonly number[]> {
    const { count } = this.#cells();
    return this.#replica(replica).probe([...new Set(cells)].filter((cell) => Number.isInteger(cell) && cell >= 0 && cell < count));
  }

  /** The truth about a token. */
  async resolve(request: { readonly cell: number; readonly tokenId: string; readonly seenStamp?: number | null }): Promise<Resolution> {
    return this.#cells().ledger(request.cell).resolve(request.tokenId, request.seenStamp);
  }

  /** Where an imported key lives. */
  async locate(request: { readonly directory: number; readonly tokenId: string }): Promise<number | null> {
    return this.#cells().ledger(request.directory).locateImported(request.tokenId);
  }

  /** The route table in force. */
  async resolveRoutes(request: { readonly seenStamp?: number | null }): Promise<RouteTable> {
    return this.#cells().home().resolveRoutes(request.seenStamp);
  }

  #replica(name: string): DurableObjectStub<LedgerReplica> {
    const region = regionOfReplica(name);
    if (region === undefined) throw new RangeError("not the name of a replica");
    return this.env.LEDGER_REPLICA.getByName(name, region === "local" ? {} : { locationHint: region as DurableObjectLocationHint });
  }

  #cells(): Cells {
    return new Cells(this.env.LEDGER, Number(this.env.CELLS));
  }
}
