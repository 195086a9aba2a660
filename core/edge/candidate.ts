/** A request as it reaches the decision, and what a route alone has to say about it. */
import { permitsOrigin } from "../cors.ts";
import type { CredentialPlace } from "../credential.ts";
import type { ForeignToken } from "../foreign-token.ts";
import { isWithin, parseAddress } from "../network.ts";
import type { NormalPath } from "../path.ts";
import type { PreparedRoute } from "../prepared-route.ts";
import type { Reason } from "../reason.ts";
import type { ParsedToken } from "../token.ts";

/** A key that is genuine in form: checksum and tag hold, or it may be one from elsewhere. Whether it exists is not known yet. */
export interface Presented {
  readonly text: string;
  readonly token: ParsedToken | ForeignToken;
  /** Where it was carried: not every route takes it from everywhere. */
  readonly place: CredentialPlace;
}

/** What a browser asks before it lets a page send its request (the Fetch standard, "CORS-preflight request"). */
export interface Preflight {
  readonly origin: string;
  /** The method of the request that is to follow. */
  readonly method: string;
}

/** A request whose key and path are in order, as far as can be seen without I/O. */
export interface Candidate {
  readonly method: string;
  /** Host name in lower case. */
  readonly host: string;
  readonly path: NormalPath;
  readonly search: string;
  readonly isHttps: boolean;
  /** The client's address in the platform's word, or null. Looked up only for keys and routes that are bound to networks. */
  readonly clientAddress: () => string | null;
  readonly presented: Presented | null;
  /** Set when it may be a preflight. Whether it is one is for the route of the request that is to follow to say. */
  readonly preflight?: Preflight;
}

/**
 * Why a route refuses a request whatever becomes of keys; undefined where it does not. Networks come first: from elsewhere nothing is to be
 * learnt of any key.
 */
export function routeRefusal(route: PreparedRoute, candidate: Candidate): Reason | undefined {
  const elsewhere = route.networks && networkFault(route.networks, candidate.clientAddress());
  if (elsewhere) return elsewhere;
  const { cors, places } = route.prepared;
  const preflight = cors && preflightFor(route, candidate);
  if (preflight) return permitsOrigin(cors, preflight.origin) ? undefined : "origin_not_allowed";
  const { presented } = candidate;
  if (!presented) return route.public === true ? undefined : "missing_credential";
  if (!places.has(presented.place)) return presented.place === "basic" ? "basic_not_allowed" : "credential_place_not_allowed";
  return presented.token.cell === null && route.foreign !== true ? "foreign_not_allowed" : undefined;
}

/** The preflight that a request is, if the request that is to follow would be this route's. */
export function preflightFor({ prepared }: PreparedRoute, { preflight }: Candidate): Preflight | undefined {
  return preflight && prepared.cors?.methods.has(preflight.method) === true ? preflight : undefined;
}

function networkFault(networks: readonly string[], clientAddress: string | null): Reason | undefined {
  const address = parseAddress(clientAddress ?? "");
  if (!address) return "client_address_unknown";
  return isWithin(address, networks) ? undefined : "route_network_not_allowed";
}
