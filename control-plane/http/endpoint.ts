/** What every endpoint shares: who calls, the body, and sending commands to a ledger. */
import type { Context } from "hono";
import type { z } from "zod";
import type { PlatformPermission } from "../../core/permission.ts";
import type { RandomBytes } from "../../core/base62.ts";
import type { Cells } from "../cells.ts";
import type { ControlPlaneConfiguration } from "../configuration.ts";
import type { Actor, Command, Refusal } from "../ledger/command.ts";
import { refused } from "./api-error.ts";
import { parseBody, readBodyText } from "./body.ts";
import { authenticate, requirePermission, type Caller } from "./caller.ts";
import { repetitionOf, type Repetition } from "./idempotency.ts";
import { prefersAsync, type Committed } from "./receipts.ts";

/** What the application carries for each request. */
export interface AppEnvironment {
  Variables: { requestId: string };
}

/** What endpoints are built with. */
export interface Services {
  readonly configuration: ControlPlaneConfiguration;
  readonly cells: Cells;
  readonly now: () => number;
  readonly randomBytes: RandomBytes;
}

/** A request from an authenticated caller who may make it, with its body read and parsed. */
interface Call<Body> {
  readonly body: Body;
  readonly terms: Terms;
}

/** Who sends a command, how it is recognised when it comes again, and whether the caller waits until it is in force. */
export interface Terms {
  readonly actor: Actor;
  readonly repetition: Repetition;
  readonly untilInForce: boolean;
}

/**
 * Authenticates, checks the permission the endpoint declares, and reads the body through its schema, in this order. The
 * caller may take its time to send a body, so the key is looked at once more when all of it is here.
 */
export async function admit<Schema extends z.ZodType>(
  services: Services,
  c: Context<AppEnvironment>,
  permission: PlatformPermission,
  schema: Schema,
): Promise<Call<z.output<Schema>>> {
  const callerBefore = await admitCaller(services, c, permission);
  const text = await readBodyText(c.req.raw);
  const caller = text === "" ? callerBefore : await admitCaller(services, c, permission);
  const body = parseBody(text, schema);
  const actor = { type: "api_key", id: caller.keyId } as const;
  return { body, terms: termsOf(services, c, actor, text) };
}

/** The terms on which an actor's request is carried out. */
export function termsOf(services: Services, c: Context<AppEnvironment>, actor: Actor, bodyText: string): Terms {
  const repetition = repetitionOf(c.req.raw, actor.id, bodyText, services.configuration.replySealKey);
  return { actor, repetition, untilInForce: !prefersAsync(c.req.raw) };
}

/** Authenticates and checks the permission the endpoint declares; for requests without a body. */
export async function admitCaller(services: Services, c: Context<AppEnvironment>, permission: PlatformPermission): Promise<Caller> {
  const caller = await authenticate(c.req.raw, services.configuration, services.cells, services.now());
  requirePermission(caller, permission);
  return caller;
}

/** Where a command is sent, and what belongs to it. */
interface Sending {
  readonly cell: number;
  readonly terms: Terms;
  /** The secret that belongs to the reply and is stored nowhere, if there is one. */
  readonly secret?: string;
  /** An endpoint's own words for refusal codes. */
  readonly codes?: Partial<Record<Refusal["code"], string>>;
}

/** Sends a command; answers its reply, and the secret of the first time if this is a repeat. */
export async function send(
  services: Services,
  command: Command,
  sending: Sending,
): Promise<Committed & { readonly secret: string | undefined }> {
  const { cell, terms, secret, codes } = sending;
  const { actor, repetition, untilInForce } = terms;
  const { commandId, fingerprint } = repetition;
  const sealedReply = secret === undefined || repetition.seal === null ? null : await repetition.seal(secret);
  const outcome = await services.cells.ledger(cell).execute({ command, actor, commandId, fingerprint, sealedReply, untilInForce });
  if (!outcome.ok) throw refused(outcome.refusal, codes);
  const replayed = outcome.replayed && outcome.sealedReply !== null;
  const { reply, receipt } = outcome;
  return { reply, receipt, secret: replayed ? await repetition.open(outcome.sealedReply) : secret };
}
