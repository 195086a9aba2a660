/** What people are told of their routes: tests, explanations and differences, by what decides at the gateway. */
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { differences } from "../../cli/diff.ts";
import { considered, explanation } from "../../cli/explain.ts";
import { decisionOn, outcomeOf } from "../../cli/rehearsed.ts";
import { failuresOf } from "../../cli/route-tests.ts";
import { routeFileSchema, type WrittenRequest } from "../../cli/route-file-schema.ts";
import { compileRoutes, matchRoute } from "../../core/match.ts";
import { tableFaults } from "../../core/route-faults.ts";
import { isPartOf, patternOf } from "../../core/route-pattern.ts";
import { routesSchema, type Route } from "../../core/route.ts";

const route = (name: string, path: string, more: object) => ({ name, methods: ["GET"], path, upstream: "https://u.example", ...more });
const ROUTES = routesSchema.parse([
  route("health", "/health", { public: true }),
  route("orders", "/orders/:id", {
    permissions: { all: ["orders:read"], not: ["orders:write"] },
    cors: { origins: ["https://app.example"] },
  }),
  route("mine", "/orders/mine", { permissions: { any: ["orders:read", "self:read"] }, credentials: ["x-api-key"], freshness: 0 }),
  route("office", "/office", {
    permissions: { all: ["orders:read"] },
    networks: ["192.0.2.0/24"],
    host: "office.example",
    methods: ["GET", "POST"],
  }),
]);

test.each<[WrittenRequest, string]>([
  [{ request: "GET /health" }, "allow health"],
  [{ request: "HEAD /health?x=/y" }, "allow health"],
  [{ request: "GET /health", permissions: [] }, "allow health"],
  [{ request: "GET /nowhere" }, "deny no_route"],
  [{ request: "GET /orders/1" }, "deny missing_credential"],
  [{ request: "GET /orders/1", permissions: ["orders:read"] }, "allow orders"],
  [{ request: "GET /orders/1", permissions: ["orders:*"] }, "deny excluded_permission"],
  [{ request: "GET /orders/1", permissions: ["reports:read"] }, "deny insufficient_scope"],
  [{ request: "GET /orders/mine", permissions: ["orders:read"] }, "deny credential_place_not_allowed"],
  [{ request: "GET /orders/mine", permissions: ["self:*"], place: "x-api-key" }, "allow mine"],
  [{ request: "GET /orders/mine", permissions: ["self:*"], place: "basic" }, "deny basic_not_allowed"],
  [{ request: "GET /orders/x/../mine", permissions: ["self:*"], place: "x-api-key" }, "allow mine"],
  [{ request: "GET /orders/m%69ne", permissions: ["self:*"], place: "x-api-key" }, "allow mine"],
  [{ request: "GET /orders/..%2fhealth" }, "deny ambiguous_path"],
  [{ request: "GET //health" }, "deny ambiguous_path"],
  [{ request: "GET https://office.example/office", permissions: ["*"], from: "192.0.2.1" }, "allow office"],
  [{ request: "GET https://office.example/office", permissions: ["*"], from: "192.0.3.1" }, "deny route_network_not_allowed"],
  [{ request: "GET https://office.example/office", permissions: ["*"] }, "deny client_address_unknown"],
  [{ request: "GET https://other.example/office", permissions: ["*"], from: "192.0.2.1" }, "deny no_route"],
  [{ request: "OPTIONS /orders/1", origin: "https://app.example", preflight: "GET" }, "allow orders"],
  [{ request: "OPTIONS /orders/1", origin: "https://evil.example", preflight: "GET" }, "deny origin_not_allowed"],
  [{ request: "OPTIONS /orders/1", origin: "https://app.example", preflight: "PUT" }, "deny no_route"],
])("%j comes to: %s", (written, outcome) => expect(outcomeOf(decisionOn(ROUTES, written))).toBe(outcome));

describe("tests in the file", () => {
  const parsed = (tests: unknown) => routeFileSchema.safeParse({ routes: ROUTES, tests });

  it("fail by name, with what was found", () => {
    const tests = parsed([
      { request: "GET /health", allow: "health" },
      { request: "GET /orders/1", permissions: ["orders:read"], deny: "insufficient_scope" },
    ]).data?.tests;
    expect(failuresOf(ROUTES, tests ?? [])).toEqual([
      "tests.1 GET /orders/1 with [orders:read]: expected deny insufficient_scope, got allow orders",
    ]);
  });

  it.each([
    [{ request: "GET /health" }],
    [{ request: "GET /health", allow: "health", deny: "no_route" }],
    [{ request: "GET /health", deny: "no_reason" }],
    [{ request: "/health", allow: "health" }],
    [{ request: "OPTIONS /health", preflight: "GET", allow: "health" }],
    [{ request: "GET /health", allow: "health", permisions: [] }],
  ])("that do not say what they mean are refused: %j", (line) => expect(parsed([line]).success).toBe(false));
});

test("an explanation names what answers, what it comes before, what does not fit, and why", () => {
  expect(explanation(ROUTES, { request: "GET /orders/mine", permissions: ["reports:read"], place: "x-api-key" })).toEqual([
    "GET /orders/mine",
    "  answers       mine: GET,HEAD /orders/mine",
    "  less specific orders: GET,HEAD /orders/:id",
    "deny insufficient_scope (403 insufficient_scope)",
    "  The key has [reports:read] and lacks any one of: orders:read, self:read.",
  ]);
  expect(explanation(ROUTES, { request: "POST /office" })).toContain("  other host    office: GET,POST,HEAD office.example/office");
});

test("what an explanation says answers is what the gateway matches, and it is a part of all that it comes before", () => {
  const path = fc
    .array(fc.constantFrom("a", "b", ":x"), { maxLength: 3 })
    .chain((segments) => fc.constantFrom("", "/*").map((end) => segments.map((each) => `/${each}`).join("") + end || "/"));
  const drawn = fc.uniqueArray(path, { selector: (each) => each.replaceAll(":x", ":"), minLength: 1, maxLength: 6 });
  const asked = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 4 }).map((segments) => `/${segments.join("/")}`);
  fc.assert(
    fc.property(drawn, asked, (paths, target) => {
      const routes = routesSchema.parse(paths.map((each, at) => route(`r${at}`, each, { public: true })));
      fc.pre(tableFaults(routes).length === 0);
      const [first, ...rest] = considered(routes, { request: `GET ${target}` });
      expect(first?.route.name).toBe(matchRoute(compileRoutes({ routes }), { method: "GET", host: "h", path: target })?.name);
      for (const other of rest) expect(first && isPartOf(patternOf(first.route), patternOf(other.route))).toBe(true);
    }),
  );
});

test("differences are told by route and member; the order of routes and of members is none", () => {
  expect(differences(ROUTES, ROUTES.toReversed())).toEqual([]);
  const [health, orders, mine] = ROUTES as [Route, Route, Route];
  const { permissions: _, ...opened } = orders;
  expect(differences([health, orders], [{ ...opened, public: true }, mine])).toEqual([
    "- health: GET,HEAD /health, public",
    '+ mine: GET,HEAD /orders/mine, {"any":["orders:read","self:read"]}',
    '~ orders: permissions {"all":["orders:read"],"not":["orders:write"]} -> (nothing)',
    "~ orders: public (nothing) -> true  (NO KEY WILL BE NEEDED)",
  ]);
});
