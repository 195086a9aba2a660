/** The rules by which an edge keeps what it has seen (docs/protocol.md, "Cache discipline"): the fill races that bring revoked keys back elsewhere. */
import { beforeEach, describe, expect, it } from "vitest";
import { KeyMemory } from "../../core/edge/key-memory.ts";
import { EdgeRequest, type Edge, type Need } from "../../core/edge/request.ts";
import { RouteMemory } from "../../core/edge/route-memory.ts";
import type { Floor, Subject } from "../../core/floor.ts";
import { EdgeViews } from "../../core/protocol/edge-views.ts";
import type { ActiveRecord, KeyRecord, Tombstone } from "../../core/record.ts";
import { routesSchema } from "../../core/route.ts";

const TOKEN_ID = "token";
const CELL = 3;
const KEY: Subject = "key:k";

const active = (stamp: number, permissions: readonly string[] = ["orders:read"]): ActiveRecord => ({
  v: 1,
  state: "active",
  stamp,
  token_id: TOKEN_ID,
  sha256: "digest",
  key_id: "k",
  owner: { type: "organization", id: "org" },
  environment: "live",
  permissions: [...permissions],
  expires_at_ms: null,
  secret_expires_at_ms: null,
  blocked: null,
  allowed_networks: null,
});
const tombstone = (stamp: number): Tombstone => ({ v: 1, state: "revoked", stamp, token_id: TOKEN_ID });
const known = (record: KeyRecord) => ({ record, trueAt: record.stamp });
const floor = (kind: "revoked" | "superseded", seq: number): Floor => ({
  subject: KEY,
  revokedBelow: kind === "revoked" ? seq : 0,
  supersededBelow: kind === "superseded" ? seq : 0,
});

describe("memory", () => {
  let memory: KeyMemory;
  beforeEach(() => {
    memory = new KeyMemory();
  });

  it("never takes an older record over a newer one", () => {
    memory.keep(known(active(7, [])));
    memory.keep(known(active(6)));
    expect(memory.known(TOKEN_ID)).toEqual(known(active(7, [])));
  });

  it("takes a newer record over an older one", () => {
    memory.keep(known(active(6)));
    memory.keep(known(active(7, [])));
    expect(memory.known(TOKEN_ID)).toEqual(known(active(7, [])));
  });

  it("never replaces a tombstone, and takes one over any record", () => {
    memory.keep(known(active(9)));
    memory.keep(known(tombstone(8)));
    memory.keep(known(active(20)));
    expect(memory.known(TOKEN_ID)?.record.state).toBe("revoked");
  });

  it("holds few records when they are large", () => {
    const permissions = Array.from({ length: 256 }, (_, at) => `permission:${String(at).padStart(36, "0")}`);
    for (let at = 0; at < 5_000; at += 1) memory.keep({ record: { ...active(1, permissions), token_id: `token-${at}` }, trueAt: 1 });
    const kept = Array.from({ length: 5_000 }, (_, at) => memory.known(`token-${at}`)).filter((each) => each !== undefined);
    expect(kept.length).toBeLessThan(1_000);
    expect(memory.known("token-4999")).toBeDefined();
  });
});

describe("a fill that was begun before a change and ends after it", () => {
  const NOW_MS = 1_000;
  let edge: Edge;
  beforeEach(() => {
    edge = { views: new EdgeViews(), keys: new KeyMemory(), routes: new RouteMemory(), sha256Hex: () => "digest" };
    const route = {
      name: "orders",
      methods: ["GET"],
      path: "/orders",
      upstream: "http://u.example",
      permissions: { all: ["orders:read"] },
    };
    edge.routes.keep({ stamp: 1, version: 1, routes: routesSchema.parse([route]) });
    edge.views.use(0, NOW_MS);
    edge.views.use(CELL, NOW_MS);
    learn(5);
  });

  /** The replica says what has been raised up to an entry. */
  function learn(seq: number, ...floors: Floor[]): void {
    const refresh = edge.views.refresh(NOW_MS);
    const answered = { answered: true, edgeLeaseMs: 500 } as const;
    const home = { ...answered, cell: 0, window: { completeFrom: 0, seq: 1, floors: [] } };
    edge.views.refreshed(refresh, { cells: [home, { ...answered, cell: CELL, window: { completeFrom: 0, seq, floors } }] }, NOW_MS);
  }

  function request(): EdgeRequest {
    const token = { environment: "live", cell: CELL, tokenId: TOKEN_ID } as const;
    return new EdgeRequest(edge, {
      method: "GET",
      host: "h",
      path: "/orders",
      search: "",
      isHttps: true,
      clientAddress: () => null,
      presented: { text: "t", token, place: "bearer" },
    });
  }

  function needsOf(of: EdgeRequest): readonly Need["kind"][] {
    const step = of.step(NOW_MS);
    return "needs" in step ? step.needs.map(({ kind }) => kind) : [];
  }

  function outcomeOf(of: EdgeRequest): string {
    const step = of.step(NOW_MS);
    if ("needs" in step) return `needs ${step.needs.map(({ kind }) => kind).join(", ")}`;
    return "reason" in step.decision ? step.decision.reason : "allowed";
  }

  it("from KV: changes nothing, and what KV says is not remembered", () => {
    const running = request();
    expect(needsOf(running)).toEqual(["read_record"]);
    learn(6, floor("revoked", 6));
    running.recordRead({ value: active(4), seenStamp: 4 });
    // The cell is asked all the same, so that KV is put right.
    expect(needsOf(running)).toEqual(["resolve_record"]);
    expect(edge.keys.known(TOKEN_ID)).toBeUndefined();
    running.recordResolved(undefined, NOW_MS);
    expect(outcomeOf(running)).toBe("revoked_key");
    expect(outcomeOf(request())).toBe("revoked_key");
  });

  it("from the cell: a revocation holds for the one who waited and for who comes next", () => {
    const running = request();
    needsOf(running);
    running.recordRead({ value: undefined, seenStamp: null });
    expect(needsOf(running)).toEqual(["resolve_record"]);
    learn(6, floor("revoked", 6));
    running.recordResolved({ found: true, record: active(5) }, NOW_MS);
    expect(outcomeOf(running)).toBe("revoked_key");
    expect(outcomeOf(request())).toBe("revoked_key");
  });

  it("from the cell: a narrowed permission is fetched again", () => {
    const running = request();
    needsOf(running);
    running.recordRead({ value: undefined, seenStamp: null });
    needsOf(running);
    learn(6, floor("superseded", 6));
    running.recordResolved({ found: true, record: active(5) }, NOW_MS);
    expect(needsOf(running)).toEqual(["resolve_record"]);
    running.recordResolved({ found: true, record: active(6, []) }, NOW_MS);
    expect(outcomeOf(running)).toBe("insufficient_scope");
  });

  it("from the cell: an answer that overtook a newer one does not take its place", () => {
    const [first, second] = [request(), request()];
    for (const each of [first, second]) {
      needsOf(each);
      each.recordRead({ value: undefined, seenStamp: null });
      needsOf(each);
    }
    second.recordResolved({ found: true, record: active(9, []) }, NOW_MS);
    first.recordResolved({ found: true, record: active(5) }, NOW_MS);
    expect(edge.keys.known(TOKEN_ID)).toEqual(known(active(9, [])));
    expect(outcomeOf(first)).toBe("insufficient_scope");
  });

  it("a tombstone from KV is the truth, however old", () => {
    const running = request();
    needsOf(running);
    running.recordRead({ value: tombstone(2), seenStamp: 2 });
    expect(outcomeOf(running)).toBe("revoked_key");
    edge.keys.keep(known(active(99)));
    expect(outcomeOf(request())).toBe("revoked_key");
  });

  it("does not outlast its lease: what was awaited for too long is decided by a new view", () => {
    const running = request();
    expect(needsOf(running)).toEqual(["read_record"]);
    running.recordRead({ value: active(5), seenStamp: 5 });
    const late = running.step(NOW_MS + 500);
    expect("needs" in late && late.needs.map(({ kind }) => kind)).toEqual(["refresh"]);
  });

  it("gives up on a cell that keeps answering with what is void already", () => {
    const running = request();
    needsOf(running);
    running.recordRead({ value: undefined, seenStamp: null });
    learn(6, floor("superseded", 6));
    for (let tries = 0; tries < 3; tries += 1) {
      expect(needsOf(running)).toEqual(["resolve_record"]);
      running.recordResolved({ found: true, record: active(5) }, NOW_MS);
    }
    expect(outcomeOf(running)).toBe("ledger_unreachable");
  });
});
