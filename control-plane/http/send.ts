/** Sending commands to a ledger on behalf of a request. */
import type { Actor, Command, CommandEnvelope, Outcome, Refusal } from "../ledger/command.ts";
import { ApiError, refused } from "./api-error.ts";
import { nameOfCaller } from "./caller.ts";
import type { Services } from "./endpoint.ts";
import type { ErrorCode } from "./error-catalogue.ts";
import { repetitionOf, type Repetition } from "./idempotency.ts";
import type { Committed, LedgerReply } from "./reply.ts";

/** Who sends a command, how it is recognised when it comes again, and whether the caller waits until it is in force. */
export interface Terms {
  readonly actor: Actor;
  readonly repetition: Repetition;
  readonly untilInForce: boolean;
}

/** The terms on which an actor's request is carried out. */
export function termsOf(services: Services, request: Request, actor: Actor, bodyText: string): Terms {
  const repetition = repetitionOf(request, nameOfCaller(actor), bodyText, services.configuration.replySealKey);
  return { actor, repetition, untilInForce: !prefersAsync(request) };
}

/** Where a command is sent, and what belongs to it. */
interface Sending {
  readonly cell: number;
  readonly terms: Terms;
  /** The secret that belongs to the reply and is stored nowhere, if there is one. */
  readonly secret?: string;
  /** Why, in the caller's words. */
  readonly reason?: string | undefined;
  /** An endpoint's own words for refusal codes. */
  readonly codes?: Partial<Record<Refusal["code"], ErrorCode>>;
}

/** What a command came to, and the secret that belongs to its reply: that of the first time if this is a repeat. */
export type Sent = Committed & { readonly secret: string | undefined };

/** Sends a command. */
export async function send(services: Services, command: Command, sending: Sending): Promise<Sent> {
  return sent(await services.cells.ledger(sending.cell).execute(await envelopeOf(command, sending)), sending);
}

/** A command that is ready to be sent, with the secret that belongs to its reply if there is one. */
interface Prepared<Type extends Command["type"]> {
  readonly command: Extract<Command, { type: Type }>;
  readonly secret?: string;
}

/**
 * Sends a command of this type that cannot be made before something has been looked up, or looked at. What `prepare` throws stands only where the
 * request was not carried out before: a repeat is answered as it was, whatever has since become of what it is about.
 */
export async function prepareAndSend<const Type extends Command["type"]>(
  services: Services,
  type: Type,
  sending: Omit<Sending, "secret">,
  prepare: () => Promise<Prepared<Type>>,
): Promise<Sent> {
  let prepared: Prepared<Type>;
  try {
    prepared = await prepare();
  } catch (error) {
    const again = error instanceof ApiError ? await sentBefore(services, type, sending) : null;
    if (again) return again;
    throw error;
  }
  const { command, secret } = prepared;
  return send(services, command, { ...sending, ...(secret !== undefined && { secret }) });
}

/** Null for a request that was not carried out before; one without an Idempotency-Key never was. */
async function sentBefore({ cells }: Services, type: Command["type"], sending: Sending): Promise<Sent | null> {
  const { repetition, untilInForce } = sending.terms;
  if (repetition.seal === null) return null;
  const { commandId, fingerprint } = repetition;
  const outcome = await cells.ledger(sending.cell).answerAgain({ type, commandId, fingerprint, untilInForce });
  return outcome && sent(outcome, sending);
}

async function sent(outcome: Outcome, { terms, secret, codes }: Sending): Promise<Sent> {
  const { actor, repetition } = terms;
  if (!outcome.ok) throw refused(outcome.refusal, actor, codes);
  const { receipt, replayed, sealedReply } = outcome;
  const reply = outcome.reply as LedgerReply;
  // The secret at hand was made for this request, and is none if an earlier one was carried out.
  return { reply, receipt, secret: replayed && sealedReply !== null ? await repetition.open(sealedReply) : secret };
}

/** Throws what {@link send} would throw because the ledger refuses; otherwise does nothing. */
export async function rehearse(services: Services, command: Command, sending: Sending): Promise<void> {
  const refusal = await services.cells.ledger(sending.cell).rehearse(await envelopeOf(command, sending));
  if (refusal) throw refused(refusal, sending.terms.actor, sending.codes);
}

async function envelopeOf(command: Command, { terms, secret, reason }: Sending): Promise<CommandEnvelope> {
  const { actor, repetition, untilInForce } = terms;
  const { commandId, fingerprint, seal } = repetition;
  const sealedReply = secret === undefined || seal === null ? null : await seal(secret);
  return { command, actor, commandId, fingerprint, sealedReply, untilInForce, ...(reason !== undefined && { reason }) };
}

/** Whether the caller would rather not wait (RFC 7240 section 4.1). */
function prefersAsync(request: Request): boolean {
  return /(?:^|,)\s*respond-async\s*(?:$|[,;])/i.test(request.headers.get("prefer") ?? "");
}
