/** What is wrong with a table: overlaps and shadowed routes, found by one way of thinking and checked by another. */
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { compileRoutes, matchRoute } from "../../core/match.ts";
import { describeFault, publishableRoutesSchema, tableFaults } from "../../core/route-faults.ts";
import { comparePermissions } from "../../core/route-permissions.ts";
import { routesSchema, type Route } from "../../core/route.ts";

interface Sketch {
  readonly path: string;
  readonly methods?: Route["methods"];
  readonly host?: string | undefined;
}

const unparsed = (sketches: readonly Sketch[]) =>
  sketches.map(({ path, methods = ["GET"], host }, at) => ({
    name: `r${at}`,
    path,
    methods,
    upstream: "http://u.example",
    public: true,
    ...(host !== undefined && { host }),
  }));
const table = (...sketches: readonly Sketch[]) => routesSchema.parse(unparsed(sketches));
const faults = (...sketches: readonly Sketch[]) => {
  const routes = table(...sketches);
  return tableFaults(routes).map((fault) => `${routes[fault.route]?.path ?? ""} ${describeFault(fault, routes)}`);
};

describe("overlaps", () => {
  it.each<[string, readonly Sketch[]]>([
    ["one is a part of the other", [{ path: "/a/:x" }, { path: "/a/b" }, { path: "/*" }, { path: "/a/*" }]],
    ["they differ in a literal", [{ path: "/a/:x" }, { path: "/b/:x" }]],
    ["they answer other methods", [{ path: "/a/:x" }, { path: "/:x/b", methods: ["POST"] }]],
    [
      "they have other hosts",
      [
        { path: "/a/:x", host: "one.example" },
        { path: "/:x/b", host: "two.example" },
      ],
    ],
    ["a parameter is never empty", [{ path: "/a/:x" }, { path: "/:x/" }]],
    ["a third is for what they share", [{ path: "/a/:x" }, { path: "/:x/b" }, { path: "/a/b" }]],
    ["a route for a host is the narrower one in both respects", [{ path: "/*" }, { path: "/a", host: "one.example" }]],
  ])("there is none when %s", (_, sketches) => expect(faults(...sketches)).toEqual([]));

  it("names both routes, a request that is for both, and what to do", () => {
    expect(faults({ path: "/a/:x", methods: ["GET", "POST"] }, { path: "/:y/b", methods: ["POST"] })).toEqual([
      "/:y/b overlaps with 'r0': POST /a/b is for both, and neither is the more specific one; " +
        "state hosts or narrow one of them, or add a route for just what they share",
    ]);
  });

  it("is also a wider path of a host beside a narrower one of any host: there the wider one would win", () => {
    const sketches = [{ path: "/admin" }, { path: "/*", host: "docs.example" }];
    expect(faults(...sketches)[0]).toContain("GET, HEAD docs.example/admin is for both");
    const routes = table(...sketches);
    expect(matchRoute(compileRoutes({ routes }), { method: "GET", host: "docs.example", path: "/admin" })?.path).toBe("/*");
  });

  it("is not mended by a third route that is for less than what they share", () => {
    expect(faults({ path: "/a/:x/*" }, { path: "/:x/b/*" }, { path: "/a/b/c" })).toHaveLength(1);
  });
});

describe("shadowed routes", () => {
  it("are those whose requests others take between them", () => {
    const around = [{ path: "/a/" }, { path: "/a/:x" }];
    expect(faults(...around, { path: "/a/*" })).toEqual([]);
    expect(faults(...around, { path: "/a/:x/*" }, { path: "/a/*" })).toEqual([
      "/a/* never answers GET, HEAD: 'r0', 'r1', 'r2' take all of its requests; remove it",
    ]);
    expect(faults(...around, { path: "/a/:x/" }, { path: "/a/:x/:y" }, { path: "/a/:x/:y/*" }, { path: "/a/*" })).toHaveLength(1);
    expect(faults(...around, { path: "/a/:x/*", host: "h.example" }, { path: "/a/*" })).toEqual([]);
  });

  it("are named with the methods that are taken", () => {
    const routes: Sketch[] = [{ path: "/a/" }, { path: "/a/:x" }, { path: "/a/:x/*" }, { path: "/a/*", methods: ["GET", "POST"] }];
    expect(faults(...routes)[0]).toContain("never answers GET, HEAD:");
  });
});

test("a table with faults cannot be published, but one that was in force before can still be read", () => {
  const routes = unparsed([{ path: "/a/:x" }, { path: "/:y/b" }]);
  expect(routesSchema.safeParse(routes).success).toBe(true);
  expect(publishableRoutesSchema.safeParse(routes).error?.issues).toMatchObject([{ path: [1, "path"] }]);
});

const HOSTS = ["one.example", "two.example"] as const;
const METHODS = ["GET", "POST"] as const;
const LITERALS = ["a", "b"] as const;

const sketch: fc.Arbitrary<Sketch> = fc
  .record({
    segments: fc.array(fc.constantFrom(...LITERALS, ":x"), { maxLength: 3 }),
    end: fc.constantFrom("", "", "/", "/*"),
    methods: fc.subarray([...METHODS], { minLength: 1 }),
    host: fc.constantFrom(undefined, undefined, HOSTS[0]),
  })
  .map(({ segments, end, methods, host }) => ({ path: segments.map((each) => `/${each}`).join("") + end || "/", methods, host }));
const shape = ({ path, host = "*" }: Sketch) => `${host} ${path.replaceAll(/:\w+/g, ":")}`;
const sketches = fc.uniqueArray(sketch, { selector: shape, minLength: 1, maxLength: 7 });

/** All requests that can tell the tables apart: literals, something that is no literal, and empty at the end. */
const REQUESTS = METHODS.flatMap((method) =>
  HOSTS.flatMap((host) => pathsUpTo(4).map((path) => ({ method, host, path: `/${path.join("/")}` }))),
);

function pathsUpTo(depth: number): string[][] {
  const segments = ["a", "b", "z"];
  let level: string[][] = [[]];
  const all: string[][] = [];
  for (let at = 0; at < depth; at += 1) {
    all.push(...level.map((path) => [...path, ""]));
    level = level.flatMap((path) => segments.map((segment) => [...path, segment]));
    all.push(...level);
  }
  return all;
}

/** Whether a route is for a request, by a regular expression: nothing of the code under test. */
function isFor(route: Route, { method, host, path }: (typeof REQUESTS)[number]): boolean {
  const expression = route.path.replaceAll(/:\w+/g, "[^/]+").replace(/\*$/, ".*");
  const isRightMethod = route.methods.some((each) => each === method);
  return isRightMethod && (route.host === undefined || route.host === host) && new RegExp(`^${expression}$`).test(path);
}

const requestsOf = (route: Route) => new Set(REQUESTS.filter((request) => isFor(route, request)));

test("without overlaps, whichever route answers is a part of every other that is for the request: precedence never matters", () => {
  let clean = 0;
  fc.assert(
    fc.property(sketches, (drawn) => {
      const routes = table(...drawn);
      fc.pre(tableFaults(routes).every(({ kind }) => kind !== "overlap"));
      clean += 1;
      const compiled = compileRoutes({ routes });
      const won = new Set<string>();
      for (const request of REQUESTS) {
        const others = routes.filter((route) => isFor(route, request));
        const winner = routes.find(({ name }) => name === matchRoute(compiled, request)?.name);
        expect(winner !== undefined, `${request.method} ${request.host}${request.path}`).toBe(others.length > 0);
        for (const other of others) if (winner) won.add(`${request.method} ${winner.name} ${other.name}`);
      }
      for (const [method, winner, other] of [...won].map((pair) => pair.split(" "))) {
        const [inner, outer] = [routes.find(({ name }) => name === winner), routes.find(({ name }) => name === other)];
        const both = inner && outer && REQUESTS.filter((request) => request.method === method && isFor(inner, request));
        expect(
          both?.every((request) => isFor(outer as Route, request)),
          `${method}: ${inner?.path} won over ${outer?.path}`,
        ).toBe(true);
      }
    }),
    { numRuns: 60 },
  );
  expect(clean).toBeGreaterThan(20);
});

test("every overlap that is reported is one: its example is for both, and each is for something that the other is not", () => {
  fc.assert(
    fc.property(sketches, (drawn) => {
      const routes = table(...drawn);
      for (const fault of tableFaults(routes)) {
        if (fault.kind !== "overlap") continue;
        const [one, other] = [routes[fault.route], routes[fault.with]];
        if (!one || !other) throw new Error("a fault names a route that is not there");
        const { host = HOSTS[1], path } = fault.example;
        for (const method of fault.methods.filter((each) => each !== "HEAD")) {
          const request = { method, host: host as (typeof HOSTS)[number], path } as (typeof REQUESTS)[number];
          expect(isFor(one, request) && isFor(other, request)).toBe(true);
        }
        const onlyMethod = { methods: [fault.methods.find((each) => each !== "HEAD") ?? "GET"] as Route["methods"] };
        const [ofOne, ofOther] = [requestsOf({ ...one, ...onlyMethod }), requestsOf({ ...other, ...onlyMethod })];
        expect([...ofOne].every((each) => ofOther.has(each))).toBe(false);
        expect([...ofOther].every((each) => ofOne.has(each))).toBe(false);
      }
    }),
    { numRuns: 100 },
  );
});

test("a route is reported as shadowed exactly when it answers nothing", () => {
  const near: fc.Arbitrary<Sketch> = fc
    .constantFrom("/a/", "/a/:x", "/a/*", "/a/:x/", "/a/:x/:y", "/a/:x/*", "/a/:x/:y/*")
    .map((path) => ({ path }));
  fc.assert(
    fc.property(fc.uniqueArray(near, { selector: shape, minLength: 3, maxLength: 7 }), (drawn) => {
      const routes = table(...drawn);
      const compiled = compileRoutes({ routes });
      const answering = new Set(REQUESTS.map((request) => matchRoute(compiled, request)?.name));
      const shadowed = tableFaults(routes).flatMap((fault) => (fault.kind === "shadowed" ? [routes[fault.route]?.name] : []));
      expect(shadowed).toEqual(routes.filter(({ name }) => !answering.has(name)).map(({ name }) => name));
    }),
    { numRuns: 100 },
  );
});

test("permissions of a table and of the catalogue", () => {
  const common = { methods: ["GET"], upstream: "http://u.example" };
  const routes = routesSchema.parse([
    { ...common, name: "one", path: "/1", permissions: { all: ["orders:read", "typo:read"], not: ["admin:*", "nobody:any"] } },
    { ...common, name: "two", path: "/2", permissions: { any: ["reports:read", "reports:*"] } },
  ]);
  expect(comparePermissions(routes, ["orders:*", "reports:read", "admin:all", "left:over"])).toEqual({
    unknown: [
      { route: "one", list: "all", permission: "typo:read" },
      { route: "one", list: "not", permission: "nobody:any" },
      { route: "two", list: "any", permission: "reports:*" },
    ],
    unused: ["left:over"],
  });
});
