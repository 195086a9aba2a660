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

/** A request from an authenticated caller who may make it, with its body read. */
export interface Call<Body> {
  readonly caller: Caller;
  readonly body: Body;
  readonly repetition: Repetition;
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
  return {
    caller,
    body: parseBody(text, schema),
    repetition: repetitionOf(c.req.raw, caller.keyId, text, services.configuration.replySealKey),
  };
}

/** Authenticates and checks the permission the endpoint declares; for requests without a body. */
export async function admitCaller(services: Services, c: Context<AppEnvironment>, permission: PlatformPermission): Promise<Caller> {
  const caller = await authenticate(c.req.raw, services.configuration, services.cells, services.now());
  requirePermission(caller, permission);
  return caller;
}

/** Where and how a command is sent. */
export interface Sending {
  readonly cell: number;
  readonly actor: Actor;
  readonly repetition: Repetition;
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
): Promise<{ readonly reply: Record<string, unknown>; readonly secret: string | undefined }> {
  const { cell, actor, repetition, secret, codes } = sending;
  const { commandId, fingerprint } = repetition;
  const sealedReply = secret === undefined || repetition.seal === null ? null : await repetition.seal(secret);
  const outcome = await services.cells.ledger(cell).execute({ command, actor, commandId, fingerprint, sealedReply });
  if (!outcome.ok) throw refused(outcome.refusal, codes);
  const replayed = outcome.replayed && outcome.sealedReply !== null;
  return { reply: outcome.reply, secret: replayed ? await repetition.open(outcome.sealedReply) : secret };
}

/** The caller as the author of an entry. */
export function actorOf(caller: Caller): Actor {
  return { type: "api_key", id: caller.keyId };
}
