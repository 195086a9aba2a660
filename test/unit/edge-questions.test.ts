/** How many questions an isolate asks its replica, however many requests want to know, and what each request may decide by. */
import { beforeEach, describe, expect, it } from "vitest";
import { KeyMemory } from "../../core/edge/key-memory.ts";
import { EdgeRequest, type Edge } from "../../core/edge/request.ts";
import { RouteMemory } from "../../core/edge/route-memory.ts";
import { EdgeViews, type Refresh } from "../../core/protocol/edge-views.ts";
import { Engine } from "../simulation/engine.ts";
import { routesSchema } from "../../core/route.ts";

const TOKEN_ID = "token";
const EDGE_LEASE_MS = 1_000;
const REQUESTS = 1_000;
const FOREIGN_ROUTE = {
  name: "r",
  methods: ["GET"],
  path: "/r",
  upstream: "http://u.example",
  permissions: { all: ["orders:read"] },
  foreign: true,
};

/** What a replica says of one cell; a cell that is not named is not answered for. */
const answerOf = ({ request }: Refresh, silent: readonly number[] = []) => ({
  cells: request.cells.map(({ cell, since }) =>
    silent.includes(cell)
      ? ({ cell, answered: false } as const)
      : ({ cell, answered: true, edgeLeaseMs: EDGE_LEASE_MS, window: { completeFrom: since ?? 0, seq: 1, floors: [] } } as const),
  ),
});

/** An isolate with a clock of its own and a replica that takes so long to answer. Every question is counted. */
class Isolate {
  readonly #engine = new Engine();
  roundTripMs = 30;
  /** The replica cannot be reached. */
  isCut = false;
  /** A question is never answered, nor reported. */
  losesNext = false;
  silentCells: readonly number[] = [];
  questions = 0;
  readonly edge: Edge = { views: new EdgeViews(), keys: new KeyMemory(), routes: new RouteMemory(), sha256Hex: () => "digest" };
  readonly outcomes: string[] = [];

  constructor(route: { readonly freshness?: number; readonly outage?: { readonly allowStale: number } } = {}) {
    const orders = {
      name: "r",
      methods: ["GET"],
      path: "/r",
      upstream: "http://u.example",
      permissions: { all: ["orders:read"] },
      ...route,
    };
    this.edge.routes.keep({ stamp: 1, version: 1, routes: routesSchema.parse([orders]) });
    this.edge.keys.keep({
      trueAt: 1,
      record: {
        v: 1,
        state: "active",
        stamp: 1,
        token_id: TOKEN_ID,
        sha256: "digest",
        key_id: "k",
        owner: { type: "organization", id: "org" },
        environment: "live",
        permissions: ["orders:read"],
        expires_at_ms: null,
        secret_expires_at_ms: null,
        blocked: null,
        allowed_networks: null,
      },
    });
  }

  /** A request arrives; it is decided in its own time. */
  receive(cell = 3, tokenId: string | null = TOKEN_ID, basic = false): void {
    const token = { environment: "live", cell, tokenId: tokenId ?? "" } as const;
    this.#advance(
      new EdgeRequest(this.edge, {
        method: "GET",
        host: "h",
        path: "/r",
        search: "",
        isHttps: true,
        clientAddress: () => null,
        presented: tokenId === null ? null : { text: "t", token, place: basic ? "basic" : "bearer" },
      }),
    );
  }

  get nowMs(): number {
    return this.#engine.nowMs;
  }

  /** Lets so much time pass, and everything happen that is to happen in it. */
  run(forMs = 60_000): void {
    this.#engine.run(this.nowMs + forMs);
  }

  #advance(request: EdgeRequest): void {
    const step = request.step(this.nowMs);
    if ("decision" in step) return void this.outcomes.push("reason" in step.decision ? step.decision.reason : "allowed");
    const [need] = step.needs;
    if (need?.kind === "wait") this.#engine.after(need.ms, () => this.#advance(request));
    else if (need?.kind === "refresh") this.#ask(() => this.#advance(request));
    else throw new Error(`nobody meets ${need?.kind ?? "nothing"}`);
  }

  #ask(then: () => void): void {
    const { views } = this.edge;
    const refresh = views.refresh(this.nowMs);
    this.questions += 1;
    const { isCut, silentCells } = this;
    if (this.losesNext) this.losesNext = false;
    else
      this.#engine.after(this.roundTripMs, () => {
        views.refreshed(refresh, isCut ? undefined : answerOf(refresh, silentCells), this.nowMs);
        then();
      });
  }
}

const decided = (outcome: string, times: number) => Array.from({ length: times }, () => outcome);

describe("many requests at once", () => {
  let isolate: Isolate;
  beforeEach(() => {
    isolate = new Isolate();
  });

  function receiveMany(): void {
    for (let request = 0; request < REQUESTS; request += 1) isolate.receive();
    isolate.run();
  }

  it("share one question", () => {
    receiveMany();
    expect(isolate.outcomes).toEqual(decided("allowed", REQUESTS));
    expect(isolate.questions).toBe(1);
  });

  it("share the fate of a question that came to nothing", () => {
    isolate.isCut = true;
    receiveMany();
    expect(isolate.outcomes).toEqual(decided("ledger_unreachable", REQUESTS));
    expect(isolate.questions).toBe(1);
  });

  it("share a few questions when every answer comes too late to decide by, and are refused", () => {
    isolate.roundTripMs = EDGE_LEASE_MS + 10;
    receiveMany();
    expect(isolate.outcomes).toEqual(decided("ledger_unreachable", REQUESTS));
    expect(isolate.questions).toBeLessThanOrEqual(6);
  });

  it("ask one more question when the one they wait for is lost", () => {
    isolate.losesNext = true;
    receiveMany();
    // Whoever asked the lost one waits for ever.
    expect(isolate.outcomes).toEqual(decided("allowed", REQUESTS - 1));
    expect(isolate.questions).toBe(2);
  });

  it("on a route that wants freshness 0 wait for a question that was begun after they came, and share it", () => {
    isolate = new Isolate({ freshness: 0 });
    isolate.receive();
    isolate.run(isolate.roundTripMs / 2);
    isolate.edge.views.use(3, isolate.nowMs);
    receiveMany();
    expect(isolate.outcomes).toEqual(decided("allowed", REQUESTS + 1));
    expect(isolate.questions).toBe(2);
  });

  it("each about another cell ask about each cell once, and none gives up because the others ask", () => {
    const cells = 16;
    for (let cell = 0; cell < cells; cell += 1) {
      for (let request = 0; request < 10; request += 1) isolate.receive(cell);
      isolate.run(1);
    }
    isolate.run();
    expect(isolate.outcomes).toEqual(decided("allowed", cells * 10));
    expect(isolate.questions).toBe(cells);
  });

  it("do not wait for a question that is not about their cell", () => {
    isolate.receive(3);
    isolate.receive(5);
    expect(isolate.questions).toBe(2);
  });
});

describe("a route's freshness", () => {
  it.each([1, 10, 29, 31, 100])(
    "of %i ms is met also when asking takes longer, by what was asked for after the request came",
    (freshness) => {
      const isolate = new Isolate({ freshness });
      isolate.receive();
      isolate.run(isolate.roundTripMs + freshness);
      isolate.receive();
      isolate.run();
      expect(isolate.outcomes).toEqual(["allowed", "allowed"]);
      expect(isolate.questions).toBe(2);
    },
  );

  it("of 100 ms spares a question for so long", () => {
    const isolate = new Isolate({ freshness: 100 });
    isolate.receive();
    isolate.run(99);
    isolate.receive();
    isolate.run();
    expect(isolate.outcomes).toEqual(["allowed", "allowed"]);
    expect(isolate.questions).toBe(1);
  });
});

describe("a refusal that nothing newer could change", () => {
  let isolate: Isolate;
  beforeEach(() => {
    isolate = new Isolate({ freshness: 0 });
    isolate.receive();
    isolate.run(isolate.roundTripMs);
    isolate.edge.keys.keep({ record: { v: 1, state: "revoked", stamp: 1, token_id: "dead" }, trueAt: 1 });
    isolate.edge.keys.keepUnknown("nobody", isolate.nowMs);
  });

  it.each<[string, Parameters<Isolate["receive"]>]>([
    ["missing_credential", [0, null]],
    ["basic_not_allowed", [3, TOKEN_ID, true]],
    ["revoked_key", [3, "dead"]],
    ["unknown_key", [3, "nobody"]],
  ])("costs no question on a strict route while the views are leased: %s", (reason, input) => {
    for (let request = 0; request < 5; request += 1) isolate.receive(...input);
    expect(isolate.outcomes).toEqual(["allowed", ...decided(reason, 5)]);
    expect(isolate.questions).toBe(1);
  });

  it("is not made without a lease", () => {
    isolate.run(EDGE_LEASE_MS);
    isolate.receive(0, null);
    isolate.run();
    expect(isolate.questions).toBe(2);
  });
});

it("what was known of a cell that has not been used for a while still serves a route that bears an outage", () => {
  const isolate = new Isolate({ outage: { allowStale: 3_600 } });
  isolate.receive(3);
  isolate.run(20_000);
  isolate.isCut = true;
  isolate.receive(0, null);
  isolate.run();
  isolate.receive(3);
  isolate.run();
  expect(isolate.outcomes).toEqual(["allowed", "missing_credential", "allowed"]);
});

it("a cell that has not been used for a while is not asked about", () => {
  const { views } = new Isolate().edge;
  for (const cell of [0, 3]) views.use(cell, 1_000);
  views.use(0, 15_000);
  expect(views.refresh(15_000).request.cells.map(({ cell }) => cell)).toEqual([0]);
});

/** Says yes to everything that a request needs, but only when the lease has run out under it, twice each time. */
it("a request is decided although every lease runs out under what it waits for", () => {
  const views = new EdgeViews();
  const edge: Edge = { views, keys: new KeyMemory(), routes: new RouteMemory(), sha256Hex: () => "digest" };
  const told = new Isolate().edge;
  const token = { cell: null, tokenId: TOKEN_ID, directory: 5, environments: new Set(["live" as const]) };
  const presented = { text: "t", token, place: "bearer" as const };
  const candidate = { method: "GET", host: "h", path: "/r" as const, search: "", isHttps: true, clientAddress: () => null, presented };
  const request = new EdgeRequest(edge, candidate);
  let nowMs = 1_000;
  const answer = (refresh: Refresh, afterMs: number) => {
    nowMs += afterMs;
    const cells = answerOf(refresh).cells.map((cell) => ({ ...cell, edgeLeaseMs: 100 }));
    views.refreshed(refresh, { cells }, nowMs);
  };
  const met: string[] = [];
  for (let asked = 0; ; asked += 1) {
    if (asked > 50) throw new Error("it never ends");
    views.use(0, nowMs);
    views.use(9, nowMs);
    // Somebody else asks first, and is answered when that lease has run out.
    const others = views.refresh(nowMs);
    const waiting = request.step(nowMs);
    answer(others, 101);
    expect("needs" in waiting && waiting.needs[0]?.kind).toBe("wait");
    const asking = request.step(nowMs);
    expect("needs" in asking && asking.needs[0]?.kind).toBe("refresh");
    answer(views.refresh(nowMs), 1);
    const step = request.step(nowMs);
    if ("decision" in step) {
      expect("reason" in step.decision ? step.decision.reason : "allowed").toBe("allowed");
      break;
    }
    for (const { kind } of step.needs) {
      met.push(kind);
      if (kind === "read_routes") request.routesRead({ value: undefined, seenStamp: null });
      if (kind === "resolve_routes") request.routesResolved({ stamp: 1, version: 1, routes: routesSchema.parse([FOREIGN_ROUTE]) });
      if (kind === "locate") request.located(9, nowMs);
      if (kind === "read_record") request.recordRead({ value: undefined, seenStamp: null });
      if (kind === "resolve_record") request.recordResolved({ found: true, record: told.keys.known(TOKEN_ID)!.record }, nowMs);
    }
    nowMs += 150;
  }
  expect(met).toEqual(expect.arrayContaining(["resolve_routes", "locate", "resolve_record"]));
});
