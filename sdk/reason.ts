/** The reasons for which an API refuses: some of the gateway's, in its words, and some of its own. */
import { TOLD, type Reason, type Told } from "../core/reason.ts";
import type { MissingPermissions, Refusal } from "./refusal.ts";

/** What only an API says, not the gateway. */
const OURS = {
  missing_assertion: {
    status: 401,
    code: "missing_assertion",
    title: "Not through the gateway",
    detail: "The request does not say who is calling. Send it through the gateway, with an API key.",
    challenge: "",
  },
  invalid_assertion: {
    status: 401,
    code: "invalid_assertion",
    title: "Invalid assertion",
    detail: "The gateway did not say this, did not say it to this API, or said it too long ago. Send the request through the gateway.",
    challenge: "invalid_token",
  },
  key_set_unreachable: {
    status: 503,
    code: "key_set_unreachable",
    title: "Cannot verify now",
    detail: "Who is calling cannot be verified at the moment, so the request was not let through. Try again shortly.",
  },
} as const satisfies Readonly<Record<string, Told>>;

/** Reasons that have the gateway's texts. */
type SharedReason = Extract<
  Reason,
  "missing_credential" | "multiple_credentials" | "malformed_credential" | "unknown_key" | "insufficient_scope" | "ledger_unreachable"
>;

/** The refusal for a reason. */
export function refusalFor(
  reason: SharedReason | keyof typeof OURS,
  { cause, missing }: { readonly cause?: unknown; readonly missing?: MissingPermissions } = {},
): Refusal {
  const { status, ...told }: Told = reason in OURS ? OURS[reason as keyof typeof OURS] : TOLD[reason as SharedReason];
  return {
    ...told,
    status: status as Refusal["status"],
    ...(missing !== undefined && { missing }),
    ...(cause !== undefined && { cause }),
  };
}
