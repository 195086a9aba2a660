/** From what people write of a request to what the gateway would decide about it. */
import { rehearse } from "../core/edge/rehearsal.ts";
import type { Decision } from "../core/edge/request.ts";
import type { Route } from "../core/route.ts";
import type { WrittenRequest } from "./route-file-schema.ts";

/** Stands for the host where only a path was written: reserved, so that no route is for it by name (RFC 2606). */
const ANY_HOST = "https://any-host.invalid";

/** Method and absolute URL, as the platform hands them to a gateway. */
export function targetOf({ request }: Pick<WrittenRequest, "request">): { readonly method: string; readonly url: URL } {
  const [method = "", target = ""] = request.split(" ");
  // Put together as text: a path that begins with two slashes would be taken for a host.
  return { method, url: new URL(target.startsWith("/") ? ANY_HOST + target : target) };
}

/** The decision with these routes. */
export function decisionOn(routes: readonly Route[], written: WrittenRequest): Decision {
  const { method, url } = targetOf(written);
  const { permissions, place = "bearer", from = null, origin, preflight } = written;
  return rehearse(routes, {
    method,
    url: url.href,
    permissions,
    place,
    clientAddress: from,
    ...(origin !== undefined && preflight !== undefined && { preflight: { origin, method: preflight } }),
  });
}

/** The decision in a few words: `allow orders-list`, `deny insufficient_scope`. */
export function outcomeOf(decision: Decision): string {
  return "reason" in decision ? `deny ${decision.reason}` : `allow ${decision.route.name}`;
}
