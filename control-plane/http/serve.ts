/** From a request to an endpoint's handler and back: what all endpoints share, in one order. */
import type { Context, Hono } from "hono";
import { DeniedError, invalid } from "./api-error.ts";
import { parseBody, readBodyText } from "./body.ts";
import { identify, nameOfCaller, requireAccess, type Caller } from "./caller.ts";
import { noteDenial } from "./denials.ts";
import { NO_FIELDS, type Call, type Endpoint, type Method, type Services } from "./endpoint.ts";
import { readPath } from "./path-parameters.ts";
import { parseQuery } from "./query.ts";
import type { Reply } from "./reply.ts";
import { termsOf } from "./send.ts";

/** What the application carries for each request. */
export interface AppEnvironment {
  Variables: { requestId: string };
}

/** Serves every endpoint under its method and path. Where two paths match, literals go before parameters, from the left. */
export function mount(app: Hono<AppEnvironment>, services: Services, endpoints: readonly Endpoint[]): void {
  for (const endpoint of endpoints.toSorted(bySpecificity))
    app.on(endpoint.method, endpoint.path, async (c) => {
      const note = (denied: DeniedError) =>
        noteDenial(services, endpoint, denied, { requestId: c.get("requestId"), params: c.req.param() });
      try {
        const reply = await endpoint.handler(await receive(services, endpoint, c));
        await Promise.all((reply.denied ?? []).map(note));
        return respond(c, reply, endpoint);
      } catch (error) {
        if (error instanceof DeniedError) await note(error);
        throw error;
      }
    });
}

/**
 * Admits the caller, reads the body, and parses all that the request carries, in this order. The caller may take its time to
 * send a body, so it is looked at once more when all of it is here.
 */
async function receive(
  services: Services,
  endpoint: Endpoint,
  c: Context<AppEnvironment>,
): Promise<Call<Method, string, unknown, unknown>> {
  const request = c.req.raw;
  const isRead = endpoint.method === "GET";
  const callerBefore = await enter(services, endpoint, c);
  if (endpoint.needsIdempotencyKey && !request.headers.get("idempotency-key")) throw idempotencyKeyMissing();
  const text = isRead ? "" : await readBodyText(request);
  const caller = text === "" ? callerBefore : await admit(services, endpoint, request);
  const query = parseQuery(c.req.queries(), endpoint.query ?? NO_FIELDS);
  const body = isRead ? {} : parseBody(text, endpoint.body ?? NO_FIELDS);
  const params = readPath(endpoint.path, c.req.param(), services.cells);
  const terms = isRead ? null : termsOf(services, request, caller.actor, text);
  return { services, caller, params, query, body, terms, origin: new URL(request.url).origin };
}

/** Admits the caller and counts the request, also if the caller lacks the permission; what is left of its limit goes into the answer. */
async function enter(services: Services, { access }: Endpoint, c: Context<AppEnvironment>): Promise<Caller> {
  const request = c.req.raw;
  const { limits } = services;
  const counted = (headers: Readonly<Record<string, string>>) => {
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
  };
  // Before the secret is looked at: it is for guessing that this limit is there.
  if (access === "bootstrap_secret") counted(limits.bootstrap.take(request.headers.get("cf-connecting-ip") ?? ""));
  const caller = await identify(services, access, request);
  if (access !== "bootstrap_secret" && access !== "public") counted(limits.caller.take(nameOfCaller(caller.actor)));
  requireAccess(access, caller);
  services.platformKeyUses.note(caller, access);
  return caller;
}

async function admit(services: Services, { access }: Endpoint, request: Request): Promise<Caller> {
  const caller = await identify(services, access, request);
  requireAccess(access, caller);
  return caller;
}

function respond(c: Context<AppEnvironment>, reply: Reply, { replies }: Endpoint): Response {
  for (const [name, value] of Object.entries(reply.headers ?? {})) c.header(name, value);
  const declared = replies[reply.status];
  if (reply.status === 204) return c.body(null, 204);
  if (declared && "mediaType" in declared)
    return c.body(reply.body as string | ReadableStream, reply.status, { "Content-Type": declared.mediaType });
  return c.json(reply.body, reply.status);
}

function idempotencyKeyMissing() {
  return invalid([{ code: "required", field: "Idempotency-Key", message: "is required, so that a lost answer can be asked for again" }]);
}

/** `/a/b` before `/a/:x` before `/:x/b`. */
function bySpecificity(one: Endpoint, other: Endpoint): number {
  const [left, right] = [one, other].map(({ path }) =>
    path
      .split("/")
      .map((segment) => (segment.startsWith(":") ? "1" : "0"))
      .join(""),
  );
  return (left ?? "") < (right ?? "") ? -1 : 1;
}
