/** Routes made of an OpenAPI document: they let through exactly whom the document lets through, or they are left out and that is said. */
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { accessOf, importOpenApi } from "../../cli/openapi-import.ts";
import { decisionOn } from "../../cli/rehearsed.ts";
import { routeSchema } from "../../core/route.ts";

const TERMS = { upstream: "https://api.internal.example", permission: undefined };
const documentOf = (paths: Record<string, unknown>, more: Record<string, unknown> = {}) => ({ openapi: "3.1.0", info: {}, paths, ...more });
const imported = (paths: Record<string, unknown>, more?: Record<string, unknown>, terms = {}) => {
  const result = importOpenApi(documentOf(paths, more), { ...TERMS, ...terms });
  if ("fault" in result) throw new Error(result.fault);
  return result;
};
const oauth = (...scopes: string[]) => ({ security: [{ oauth: scopes }] });

describe("an operation", () => {
  it("becomes a route with its scopes as permissions", () => {
    const { routes, problems } = imported({
      "/orders/{order-id}/items": { parameters: [], get: { operationId: "listOrderItems", ...oauth("orders:read", "items:read") } },
    });
    expect(problems).toEqual([]);
    expect(routes).toEqual([
      {
        name: "list-order-items",
        methods: ["GET"],
        path: "/orders/:order_id/items",
        upstream: TERMS.upstream,
        permissions: { all: ["orders:read", "items:read"] },
      },
    ]);
  });

  it("has the security of the document unless it has its own", () => {
    const { routes } = imported({ "/a": { get: {} }, "/b": { get: { security: [] } }, "/c": { get: oauth("c") } }, oauth("a"));
    expect(routes.map(({ name, permissions, public: isPublic }) => [name, permissions ?? isPublic])).toEqual([
      ["get-a", { all: ["a"] }],
      ["get-b", true],
      ["get-c", { all: ["c"] }],
    ]);
  });

  it("that wants a key without a scope asks for the permission that was named", () => {
    expect(imported({ "/a": { get: oauth() } }, {}, { permission: "api:use" }).routes[0]?.permissions).toEqual({ all: ["api:use"] });
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ["says nothing of security", { "/a": { get: {} } }, /^GET \/a: says nothing of security/],
    ["wants a key without a scope", { "/a": { get: oauth() } }, /^GET \/a: wants a key but names no scope/],
    ["has a scope that is no permission", { "/a": { get: oauth("Orders.Read!") } }, /'Orders\.Read!' cannot be a permission/],
    [
      "has alternatives of several scopes",
      { "/a": { get: { security: [{ x: ["a", "b"] }, { x: ["c", "d"] }] } } },
      /more than a route can ask for/,
    ],
    ["has a method that routes have not", { "/a": { trace: oauth("a") } }, /^TRACE \/a: routes do not have 'trace'/],
    ["has a parameter in a part of a segment", { "/a.{format}": { get: oauth("a") } }, /only a part of a segment/],
    ["has a path that is a pattern of ours", { "/:id/*": { get: oauth("a") } }, /left out/],
    ["is elsewhere", { "/a": { $ref: "other.json" } }, /left out/],
  ])("is left out when it %s, and that is said", (_, paths, problem) => {
    const { routes, problems } = imported(paths);
    expect([routes, problems.length]).toEqual([[], 1]);
    expect(problems[0]).toMatch(problem);
  });

  it.each([null, 1, [], {}, { openapi: "2.0", paths: {} }, { swagger: "2.0", paths: {} }])("of no document is no route: %j", (document) => {
    expect(importOpenApi(document, TERMS)).toHaveProperty("fault");
  });
});

test.each<[Parameters<typeof accessOf>[0], ReturnType<typeof accessOf>]>([
  [[{ x: ["a"] }, { y: ["b"] }], { permissions: { any: ["a", "b"] } }],
  [[{ x: ["a", "b"] }, { x: ["a"], y: ["c"] }], { permissions: { all: ["a"], any: ["b", "c"] } }],
  [[{ x: ["a"] }, { x: ["a", "b"] }], { permissions: { all: ["a"] } }],
  [[{ x: ["a"] }, {}], { public: true }],
])("alternatives %j become %j", (security, access) => expect(accessOf(security, undefined)).toEqual(access));

test("a key passes exactly when it has all scopes of one alternative, for whatever can be said as a route", () => {
  const scope = fc.constantFrom("a:read", "b:read", "c:read", "d:read");
  const alternatives = fc.array(fc.dictionary(fc.constantFrom("one", "two"), fc.uniqueArray(scope, { maxLength: 3 }), { maxKeys: 2 }), {
    maxLength: 4,
  });
  let said = 0;
  fc.assert(
    fc.property(alternatives, fc.uniqueArray(scope), fc.boolean(), (security, permissions, hasKey) => {
      const access = accessOf(security, "d:read");
      if (typeof access === "string") return;
      said += 1;
      const route = routeSchema.parse({ name: "r", methods: ["GET"], path: "/", upstream: TERMS.upstream, ...access });
      const passes = !("reason" in decisionOn([route], { request: "GET /", ...(hasKey && { permissions }) }));
      const satisfied = ({ scopes }: { readonly scopes: readonly string[] }) =>
        scopes.every((each) => permissions.some((held) => held === each)) && hasKey;
      const isOpen = security.length === 0 || security.some((each) => Object.keys(each).length === 0);
      const wanted = security
        .map((each) => ({ scopes: Object.values(each).flat() }))
        .map(({ scopes }) => ({ scopes: scopes.length === 0 ? ["d:read"] : scopes }));
      expect(passes).toBe(isOpen || wanted.some(satisfied));
    }),
    { numRuns: 2_000 },
  );
  expect(said).toBeGreaterThan(500);
});
