/** Sending commands to a ledger on behalf of a request. */
import type { Actor, Command, CommandEnvelope, Refusal } from "../ledger/command.ts";
import { refused } from "./api-error.ts";
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

/** Sends a command; answers its reply, and the secret of the first time if this is a repeat. */
export async function send(
  services: Services,
  command: Command,
  sending: Sending,
): Promise<Committed & { readonly secret: string | undefined }> {
  const { cell, terms, secret, codes } = sending;
  const { actor, repetition } = terms;
  const outcome = await services.cells.ledger(cell).execute(await envelopeOf(command, sending));
  if (!outcome.ok) throw refused(outcome.refusal, actor, codes);
  const replayed = outcome.replayed && outcome.sealedReply !== null;
  const { receipt } = outcome;
  return { reply: outcome.reply as LedgerReply, receipt, secret: replayed ? await repetition.open(outcome.sealedReply) : secret };
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
