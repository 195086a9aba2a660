/** Why there is no answer of the upstream to give to the client. */
import type { Reason } from "../core/reason.ts";

/** Thrown on the way to the upstream and back; the reason is what the client is told. */
export class UpstreamFault extends Error {
  override readonly name = "UpstreamFault";
  readonly reason: Reason;

  constructor(reason: Reason, options?: ErrorOptions) {
    super(reason, options);
    this.reason = reason;
  }
}
