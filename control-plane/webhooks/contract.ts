/** The webhook dispatcher as the ledger and the HTTP side see it over RPC. */
import type { Slice, Walk } from "../../core/page.ts";
import type { DeliveryView } from "../ledger/view.ts";

/** An endpoint as its dispatcher works with it. */
export interface EndpointSettings {
  readonly id: string;
  readonly endpoint_url: string;
  readonly status: "enabled" | "disabled" | "deleted";
  readonly events: readonly string[];
  /** Seq of the home cell's entry that these settings are from; older ones are not taken. */
  readonly version: number;
  readonly sealed_secret: string;
  readonly sealed_previous_secret: string | null;
  readonly previous_secret_ends_at_ms: number | null;
}

/** What asking for a delivery came to. */
export type Redelivery =
  | { readonly ok: true; readonly delivery: DeliveryView }
  | { readonly ok: false; readonly reason: "no_such_event" | "endpoint_disabled" };

/** The dispatcher of one endpoint. */
export interface DispatcherContract {
  /** Takes newer settings and answers when no attempt begins under older ones any more and every cell reports its events. */
  configure(settings: EndpointSettings): Promise<void>;
  /** A cell has events up to `seq`. False: there is no such endpoint (any more), the cell need not report again. */
  wake(cell: number, seq: number): Promise<boolean>;
  /** The log of deliveries, by event id. */
  deliveries(walk: Walk): Promise<Slice<DeliveryView>>;
  /** Sends an event, again or for the first time, at once and out of order. */
  redeliver(eventId: string): Promise<Redelivery>;
}
