/**
 * What is refused to a known caller is recorded: who, which endpoint, why; never what was sent. A request of nobody (401) leaves only its line
 * in the log, so that nobody can fill the ledger without a key.
 */
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { withDeadline } from "../../platform/deadline.ts";
import type { DeniedError } from "./api-error.ts";
import type { Endpoint, Services } from "./endpoint.ts";

/** An id of any kind. Other texts in a path may be anything, a token in the wrong place, too. */
const ANY_ID = /^(?:org_platform|[a-z_]{1,24}_[0-7][0-9A-HJKMNP-TV-Z]{25})$/;
/** The answer does not wait for longer. */
const RECORDING_DEADLINE_MS = 2_000;

/** Records a refusal with the organization whose caller it was; if that cannot be done, the log says so. */
export async function noteDenial(
  { cells }: Services,
  { operationId }: Endpoint,
  error: DeniedError,
  request: { readonly requestId: string; readonly params: Readonly<Record<string, string>> },
): Promise<void> {
  const { actor, kind, code, body } = error;
  const denial = {
    actor,
    type: kind,
    operation: operationId,
    code,
    missing_permissions: (body["missing_permissions"] ?? []) as readonly string[],
    targets: Object.values(request.params).filter((text) => ANY_ID.test(text)),
    request_id: request.requestId,
  };
  const organization = actor.self_serve?.organization_id ?? PLATFORM_ORGANIZATION_ID;
  try {
    const ledger = cells.ledger(cells.cellOf(organization));
    await withDeadline(ledger.recordDenial(denial, [organization]), RECORDING_DEADLINE_MS);
  } catch (failure) {
    const name = failure instanceof Error ? failure.name : "unknown";
    console.log(JSON.stringify({ event: "denial_not_recorded", request_id: request.requestId, name }));
  }
}
