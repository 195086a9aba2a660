/** What can be said of a request without any I/O. */
import type { Candidate, Preflight, Presented } from "../core/edge/candidate.ts";
import type { Refused } from "../core/edge/request.ts";
import { isPathFault, normalisePath } from "../core/path.ts";
import { readTarget } from "../core/target.ts";
import type { GatewayConfiguration } from "./configuration.ts";
import { readPresented } from "./presented.ts";
import { hasPassed } from "./via.ts";

/** A request as it came. A look at the platform's own object costs each time, so what is looked at more than once is read once. */
export interface Received {
  readonly request: Request;
  readonly method: string;
  readonly headers: Headers;
}

/** The parts of a request. */
export function received(request: Request): Received {
  const { method, headers } = request;
  return { request, method, headers };
}

/** The request with its key and path in order; or why it is refused, at no cost. `isKnown` tells token ids that are in memory. */
export function candidateOf(
  incoming: Received,
  configuration: GatewayConfiguration,
  isKnown: (tokenId: string) => boolean,
): Candidate | Refused {
  const { headers } = incoming;
  const presented = readPresented(headers, configuration, isKnown);
  if (typeof presented === "string") return { reason: presented };
  const via = headers.get("via");
  return via !== null && hasPassed(via, configuration.viaName) ? { reason: "request_loop" } : withTarget(incoming, presented);
}

function withTarget({ request, method, headers }: Received, presented: Presented | null): Candidate | Refused {
  const { host, path: sentPath, search, isHttps } = readTarget(request.url);
  const path = normalisePath(sentPath);
  // Set by the platform, over whatever the client sent.
  const clientAddress = () => headers.get("cf-connecting-ip");
  if (isPathFault(path)) return { reason: path };
  const candidate = { method, host, path, search, isHttps, clientAddress, presented };
  const preflight = method === "OPTIONS" ? preflightOf(headers) : undefined;
  return preflight ? { ...candidate, preflight } : candidate;
}

/** What makes an OPTIONS request a preflight: an origin, and the method of what is to follow. */
function preflightOf(headers: Headers): Preflight | undefined {
  const [origin, method] = [headers.get("origin"), headers.get("access-control-request-method")];
  return origin === null || method === null ? undefined : { origin, method };
}
