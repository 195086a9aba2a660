/** What a gateway would decide with a table that is not in force, found out by the very code that decides there. */
import { HOME_CELL } from "../identifier.ts";
import type { CredentialPlace } from "../credential.ts";
import { isPathFault, normalisePath } from "../path.ts";
import { EdgeViews } from "../protocol/edge-views.ts";
import type { ActiveRecord } from "../record.ts";
import type { Route } from "../route.ts";
import { readTarget } from "../target.ts";
import type { Candidate, Preflight } from "./candidate.ts";
import { KeyMemory } from "./key-memory.ts";
import { EdgeRequest, type Decision, type Edge } from "./request.ts";
import { RouteMemory } from "./route-memory.ts";

/** A request as far as routes look at it. */
export interface RehearsedRequest {
  readonly method: string;
  /** Absolute, as a gateway gets it. */
  readonly url: string;
  /** What the key may do; undefined: there is no key. */
  readonly permissions: readonly string[] | undefined;
  readonly place: CredentialPlace;
  readonly clientAddress: string | null;
  readonly preflight?: Preflight;
}

/** The moment at which it is decided, and the entry everything was true at. */
const NOW_MS = 0;
const SEQ = 1;
const LEASE_MS = 1;
const DIGEST = "digest";
const TOKEN_ID = "rehearsal";

/** The decision on a live key that is not bound to networks, while everything can be reached. */
export function rehearse(routes: readonly Route[], request: RehearsedRequest): Decision {
  const candidate = candidateOf(request);
  if (!candidate) return { reason: "ambiguous_path" };
  const edge: Edge = { views: new EdgeViews(), keys: new KeyMemory(1), routes: new RouteMemory(), sha256Hex: () => DIGEST };
  edge.routes.keep({ stamp: SEQ, version: SEQ, routes });
  edge.keys.keep({ record: recordOf(request.permissions ?? []), trueAt: SEQ });
  const asking = new EdgeRequest(edge, candidate);
  for (;;) {
    const step = asking.step(NOW_MS);
    if ("decision" in step) return step.decision;
    // Everything else is in memory: all it can need is to hear that this is still true.
    const refresh = edge.views.refresh(NOW_MS);
    const window = { completeFrom: 0, seq: SEQ, floors: [] };
    const cells = refresh.request.cells.map(({ cell }) => ({ cell, answered: true, edgeLeaseMs: LEASE_MS, window }) as const);
    edge.views.refreshed(refresh, { cells }, NOW_MS);
  }
}

function candidateOf({ method, url, permissions, place, clientAddress, preflight }: RehearsedRequest): Candidate | undefined {
  const { host, path: sentPath, search, isHttps } = readTarget(url);
  const path = normalisePath(sentPath);
  if (isPathFault(path)) return undefined;
  const token = { environment: "live", cell: HOME_CELL, tokenId: TOKEN_ID } as const;
  const presented = permissions ? { text: "", token, place } : null;
  return { method, host, path, search, isHttps, clientAddress: () => clientAddress, presented, ...(preflight && { preflight }) };
}

function recordOf(permissions: readonly string[]): ActiveRecord {
  return {
    v: 1,
    state: "active",
    stamp: SEQ,
    token_id: TOKEN_ID,
    sha256: DIGEST,
    key_id: TOKEN_ID,
    owner: { type: "organization", id: TOKEN_ID },
    environment: "live",
    permissions: [...permissions],
    expires_at_ms: null,
    secret_expires_at_ms: null,
    blocked: null,
    allowed_networks: null,
  };
}
