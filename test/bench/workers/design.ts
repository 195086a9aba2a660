/**
 * Other designs of the same gateway, to compare with: the same tokens, records, routes, permissions and forwarding, and only the way
 * they find out whether a key is good is another.
 */
import { env } from "cloudflare:workers";
import { authorize } from "../../../core/authorize.ts";
import { sha256Hex } from "../../../core/digest.ts";
import { compileRoutes, matchRoute, type CompiledRoutes } from "../../../core/match.ts";
import type { Candidate } from "../../../core/edge/candidate.ts";
import type { Decision, Refused } from "../../../core/edge/request.ts";
import type { KeyRecord } from "../../../core/record.ts";
import { GatewayTally } from "../../../core/metrics/tally.ts";
import { DEADLINES_MS } from "../../../core/protocol/tunables.ts";
import { RequestIds } from "../../../core/request-id.ts";
import { withDeadline } from "../../../platform/deadline.ts";
import { AnswerDeadlines } from "../../../worker/answer-deadlines.ts";
import { candidateOf, received, type Received } from "../../../worker/candidate.ts";
import { gatewayConfiguration } from "../../../worker/configuration.ts";
import { decisionLine } from "../../../worker/decision-report.ts";
import { clientResponse, upstreamRequest } from "../../../worker/forward.ts";
import { RoutePlans } from "../../../worker/route-plan.ts";
import { send, Unanswered } from "../../../worker/send.ts";
import { viaOf } from "../../../worker/via.ts";
import { NOBODY, UpstreamIdentity } from "../../../worker/upstream-identity.ts";
import { UsageCounter, usagePorts } from "../../../worker/usage-counter.ts";
import { platformPorts } from "../../../worker/platform-ports.ts";
import { refusalResponse } from "../../../worker/refusal.ts";

/** How a design finds the record of a token. */
type FindRecord = (tokenId: string, cell: number) => Promise<KeyRecord | undefined>;

/** The outside, as all designs share it. */
export const ports = platformPorts(env);
/** Counts what the ledger and KV are asked. */
export const calls = { kv: 0, ledger: 0 };
/** As the gateway has it. */
export const configuration = gatewayConfiguration(env);
const plans = new RoutePlans(() => ports.fetch);
const requestIds = new RequestIds(ports.randomBytes);
const deadlines = new AnswerDeadlines(ports);
const usage = new UsageCounter(usagePorts(configuration, ports), configuration.cells, new GatewayTally());
const identity = new UpstreamIdentity(configuration.identity);
/** The record last found of a token: what is made from a record once is made once in all designs. */
const found = new Map<string, KeyRecord>();
let routes: CompiledRoutes | undefined;

/** A Worker of that design. */
export function gatewayOf(find: FindRecord): ExportedHandler {
  return {
    fetch: async (request, _bindings, context) => {
      const requestId = requestIds.next();
      const incoming = received(request);
      const candidate = candidateOf(incoming, configuration, () => false);
      const decision = "reason" in candidate ? candidate : await decide(candidate, find);
      const response = await answer(incoming, context, candidate, decision, requestId);
      const circumstances = { requestId, method: incoming.method, status: response.status, nowMs: Date.now(), ms: 0, traceId: undefined };
      ports.log(decisionLine(decision, circumstances), context);
      usage.answered(decision, circumstances, context);
      response.headers.set("Bench-Kv-Calls", String(calls.kv));
      response.headers.set("Bench-Ledger-Calls", String(calls.ledger));
      return response;
    },
  };
}

/** Asks the cell itself, in the time that the gateway gives it. */
export async function resolve(tokenId: string, cell: number): Promise<KeyRecord | undefined> {
  calls.ledger += 1;
  const resolution = await withDeadline(ports.ledger.resolve({ cell, tokenId }), DEADLINES_MS.cell);
  if (!resolution.found) return undefined;
  const before = found.get(tokenId);
  if (before?.stamp === resolution.record.stamp) return before;
  found.set(tokenId, resolution.record);
  return resolution.record;
}

async function decide(candidate: Candidate, find: FindRecord): Promise<Decision> {
  routes ??= compileRoutes(await ports.ledger.resolveRoutes({}));
  const route = matchRoute(routes, candidate);
  const { presented } = candidate;
  if (!route || !presented) return { reason: "no_route" };
  const record = await find(presented.token.tokenId, presented.token.cell ?? 0);
  if (!record) return { reason: "unknown_key", route };
  const authorization = authorize(record, { sha256: sha256Hex(presented.text), clientAddress: candidate.clientAddress }, route, Date.now());
  return authorization.allowed ? { route, record: authorization.record } : { ...authorization, route };
}

async function answer(
  incoming: Received,
  context: ExecutionContext,
  candidate: Candidate | Refused,
  decision: Decision,
  requestId: string,
): Promise<Response> {
  if ("reason" in decision || "reason" in candidate)
    return refusalResponse("reason" in decision ? decision.reason : "internal_error", { requestId, method: incoming.method });
  const { record, route } = decision;
  const said = record ? await identity.headersOf({ record, route }, Date.now(), context) : NOBODY;
  usage.used({ route, ...(record && { record }) }, context);
  const plan = plans.of(route);
  const passage = { requestId, via: viaOf(configuration.viaName) };
  const sent = await send(upstreamRequest(incoming, candidate, plan, said, passage), plan, { now: Date.now, deadlines, context });
  const upstream = sent instanceof Unanswered ? await sent.answer() : sent;
  return clientResponse(upstream, plan, passage, () => {});
}
