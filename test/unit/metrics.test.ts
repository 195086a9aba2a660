/** Counting decisions, adding counts up, and Prometheus's text format, hostile names and all. */
import { describe, expect, it } from "vitest";
import { exposition, type Family } from "../../control-plane/metrics/exposition.ts";
import { gatewayFamilies, ledgerFamilies } from "../../control-plane/metrics/families.ts";
import { noCounters, sumCounters, type GatewayCounters } from "../../control-plane/metrics/gateway-counters.ts";
import { DURATION_BOUNDS_MS, gatewayCountsSchema, ROUTES_IN_PART_MAX, type GatewayCounts } from "../../core/metrics/counts.ts";
import { GatewayTally } from "../../core/metrics/tally.ts";
import { TOLD, type Reason } from "../../core/reason.ts";
import type { Route } from "../../core/route.ts";
import { readExposition } from "../exposition.ts";

const route = (name: string) => ({ name, methods: ["GET"], path: "/x", upstream: "https://up.example" }) as unknown as Route;
const READ = route("read");

function taken(tally: GatewayTally): GatewayCounts[] {
  return tally.take().map((part) => gatewayCountsSchema.parse(JSON.parse(JSON.stringify(part))));
}

describe("a tally", () => {
  it("tells routes, reasons and classes of status apart, and a route that was published again is the same", () => {
    const tally = new GatewayTally();
    for (const status of [200, 204, 301, 404, 500, 599]) tally.decided(READ, status, 0);
    tally.decided(route("read"), 200, 0);
    tally.decided(READ, "rate_limited", 0);
    tally.decided(undefined, "no_route", 0);
    tally.decided(undefined, "forged_token", 0);
    const [part] = taken(tally);
    expect(part?.routes.map(({ route: name, outcomes }) => [name, outcomes])).toEqual([
      ["read", { "2xx": 3, "3xx": 1, "4xx": 1, "5xx": 2, rate_limited: 1 }],
      ["", { no_route: 1, forged_token: 1 }],
    ]);
  });

  it("puts each time into its class, and those that lie on a bound below it", () => {
    const tally = new GatewayTally();
    const times = [0, 5, 5.1, 10, 10_000, 10_001, 1e9];
    for (const ms of times) tally.decided(READ, 200, ms);
    const [line] = taken(tally)[0]?.routes ?? [];
    expect(line?.durations).toEqual([2, 2, ...Array.from({ length: DURATION_BOUNDS_MS.length - 3 }, () => 0), 1, 2]);
    expect(line?.duration_ms).toBe(times.reduce((sum, ms) => sum + ms, 0));
  });

  it("hands over once, in parts that can be sent, and nothing where there is nothing", () => {
    const tally = new GatewayTally();
    expect(tally.take()).toEqual([]);
    for (let at = 0; at < 2 * ROUTES_IN_PART_MAX + 1; at += 1) tally.decided(route(`route-${at}`), 200, 1);
    tally.happened("stale_decision");
    const parts = taken(tally);
    expect(parts.map(({ routes }) => routes.length)).toEqual([ROUTES_IN_PART_MAX, ROUTES_IN_PART_MAX, 1]);
    expect(parts.map(({ events }) => events)).toEqual([{ stale_decision: 1 }, {}, {}]);
    expect(tally.take()).toEqual([]);
  });

  it("in a part with every outcome there is, on routes with the longest names, fits into a message of a queue", () => {
    const tally = new GatewayTally();
    const outcomes = [...(Object.keys(TOLD) as Reason[]), 100, 200, 300, 400, 500];
    for (let at = 0; at < ROUTES_IN_PART_MAX; at += 1)
      for (const outcome of outcomes) tally.decided(route(String(at).padStart(64, "r")), outcome, 9_999_999);
    const [part, ...more] = taken(tally);
    expect(more).toEqual([]);
    expect(JSON.stringify(part).length).toBeLessThan(120_000);
  });
});

describe("the text format", () => {
  const labels = { a: 'say "no"', b: "back\\slash", c: "two\nlines", d: "é☃", e: "" };

  it("is read back as it was meant, whatever is in a label", () => {
    const text = exposition([{ type: "gauge", name: "x", help: "two\nlines and a \\", samples: [{ labels, value: -1.5 }] }]);
    expect(readExposition(text)).toEqual([{ name: "x", labels, value: -1.5 }]);
    expect(text.split("\n")).toHaveLength(4);
  });

  it("adds the classes of a histogram up", () => {
    const family: Family = {
      type: "histogram",
      name: "t_seconds",
      help: "t",
      bounds: [0.005, 1],
      samples: [{ labels: { route: "r" }, counts: [3, 0, 2], sum: 4.5 }],
    };
    expect(exposition([family])).toBe(
      [
        "# HELP t_seconds t",
        "# TYPE t_seconds histogram",
        't_seconds_bucket{route="r",le="0.005"} 3',
        't_seconds_bucket{route="r",le="1"} 3',
        't_seconds_bucket{route="r",le="+Inf"} 5',
        't_seconds_sum{route="r"} 4.5',
        't_seconds_count{route="r"} 5',
        "",
      ].join("\n"),
    );
    readExposition(exposition([family]));
  });

  it.each([
    "x 1",
    "# HELP x x\n# TYPE x counter\nx 1\n",
    '# HELP x x\n# TYPE x gauge\nx{a="1"} 1\nx{a="1"} 2\n',
    '# HELP x x\n# TYPE x gauge\nx{a="1} 1\n',
    '# HELP x x\n# TYPE x gauge\nx{a="1" b="2"} 1\n',
    "# HELP x x\n# TYPE x gauge\ny 1\n",
    "# HELP x x\n# TYPE x gauge\nx one\n",
    "# TYPE x gauge\nx 1\n",
    '# HELP x x\n# TYPE x histogram\nx_bucket{le="1"} 2\nx_bucket{le="+Inf"} 1\nx_sum 1\nx_count 1\n',
    '# HELP x x\n# TYPE x histogram\nx_bucket{le="1"} 1\nx_sum 1\nx_count 1\n',
  ])("is not read where it is wrong (%#)", (text) => expect(() => readExposition(text)).toThrow());
});

describe("shares of counters", () => {
  const share = (name: string, requests: number): GatewayCounters => ({
    ...noCounters(),
    routes: new Map([
      [
        name,
        { atMs: requests, outcomes: { "2xx": requests }, durations: [requests, ...DURATION_BOUNDS_MS.map(() => 0)], durationMs: requests },
      ],
    ]),
    calls: { weur: { kv: { asked: requests, answered: 1 } } as GatewayCounters["calls"][string] },
    leases: { weur: { 3: { asked: requests, answered: requests } } },
  });

  it("are added up by what tells them apart, names like those of every object among them", () => {
    const sum = sumCounters([share("constructor", 1), share("constructor", 2), share("toString", 4), noCounters()]);
    const series = readExposition(exposition(gatewayFamilies(sum)));
    const valueOf = (name: string, of: Readonly<Record<string, string>>) =>
      series
        .filter((each) => each.name === name && Object.entries(of).every(([label, text]) => each.labels[label] === text))
        .map(({ value }) => value);
    expect(valueOf("portcullis_decisions_total", { route: "constructor" })).toEqual([3]);
    expect(valueOf("portcullis_decisions_total", { route: "toString" })).toEqual([4]);
    expect(valueOf("portcullis_dependency_calls_total", { region: "weur", dependency: "kv" })).toEqual([7]);
    expect(valueOf("portcullis_dependency_answers_total", { region: "weur", dependency: "kv" })).toEqual([3]);
    expect(valueOf("portcullis_leases_granted_total", { cell: "3" })).toEqual([7]);
  });

  it("are not changed by being added up", () => {
    const one = share("a", 1);
    sumCounters([one, share("a", 2)]);
    expect(one).toEqual(share("a", 1));
  });
});

it("a cell that does not answer is down, and nothing else is said of it", () => {
  const standing = { seq: 7, publications: 2, publication_attempts: 1, receipts: 1, oldest_receipt_ms: 1_500, replicas: 3 };
  const series = readExposition(exposition(ledgerFamilies([standing, null])));
  expect(series.filter(({ name }) => name === "portcullis_cell_up").map(({ value }) => value)).toEqual([1, 0]);
  expect(series.filter(({ labels }) => labels["cell"] === "1").map(({ name }) => name)).toEqual(["portcullis_cell_up"]);
  expect(series.find(({ name }) => name === "portcullis_oldest_pending_receipt_seconds")?.value).toBe(1.5);
});
