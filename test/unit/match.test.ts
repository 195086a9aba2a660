/** Routes: the most specific wins, whatever the order of the table; what matches none is refused. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileRoutes, matchRoute } from "../../core/match.ts";
import { routesSchema, type Route } from "../../core/route.ts";

interface Sketch {
  readonly path: string;
  readonly methods?: Route["methods"];
  readonly host?: string;
}

function table(...sketches: readonly Sketch[]) {
  const routes = sketches.map(({ path, methods = ["GET"], host }, at) => ({
    name: `r${at}`,
    path,
    methods,
    upstream: "http://u.example",
    public: true,
    ...(host && { host }),
  }));
  return compileRoutes({ routes: routesSchema.parse(routes) });
}

function pathOf(compiled: ReturnType<typeof table>, path: string, { method = "GET", host = "h.example" } = {}): string | undefined {
  return matchRoute(compiled, { method, host, path })?.path;
}

const paths = ["/", "/*", "/a", "/a/", "/a/b", "/a/:x", "/a/:x/c", "/a/b/*", "/:x/b", "/:x/:y/d", "/files/@admin", "/files/:name", "/a+b"];

describe("precedence", () => {
  test.each([
    ["/", "/"],
    ["/a", "/a"],
    ["/a/", "/a/"],
    ["/a/b", "/a/b"],
    ["/a/z", "/a/:x"],
    ["/a/b/c", "/a/b/*"],
    ["/a/z/c", "/a/:x/c"],
    ["/a/z/d", "/:x/:y/d"],
    ["/z/b", "/:x/b"],
    ["/z", "/*"],
    ["/z//", "/*"],
    ["/a/b/", "/a/b/*"],
    ["/A", "/*"],
    ["/files/@admin", "/files/@admin"],
    ["/files/%40admin", "/files/@admin"],
    ["/files/caf%C3%A9", "/files/:name"],
    ["/a%2Bb", "/a+b"],
  ])("%j goes to %j, in whatever order the routes are written", (path, expected) => {
    expect(pathOf(table(...paths.map((pattern) => ({ path: pattern }))), path)).toBe(expected);
    expect(pathOf(table(...paths.toReversed().map((pattern) => ({ path: pattern }))), path)).toBe(expected);
  });

  test("a pattern is matched as a whole", () => {
    const compiled = table({ path: "/a" }, { path: "/b/:x" }, { path: "/c/*" });
    for (const path of ["/", "/a/", "/a/b", "/ab", "/b", "/b/", "/b/x/", "/c", "/x"]) expect(pathOf(compiled, path)).toBeUndefined();
    expect(pathOf(compiled, "/c/")).toBe("/c/*");
    expect(pathOf(compiled, "/c/x/y/")).toBe("/c/*");
  });

  test("property names of objects are nothing special", () => {
    for (const path of ["/__proto__", "/constructor", "/toString"]) expect(pathOf(table({ path: "/a" }), path)).toBeUndefined();
  });
});

test("the method is part of the match, and GET brings HEAD", () => {
  const compiled = table({ path: "/a" }, { path: "/*", methods: ["POST"] });
  expect(pathOf(compiled, "/a", { method: "HEAD" })).toBe("/a");
  expect(pathOf(compiled, "/a", { method: "POST" })).toBe("/*");
  for (const method of ["PUT", "get", "TRACE", ""]) expect(pathOf(compiled, "/a", { method })).toBeUndefined();
});

test("a route for the host comes before one for any host", () => {
  const compiled = table({ path: "/a/b" }, { path: "/a/*", host: "h.example" });
  expect(pathOf(compiled, "/a/b")).toBe("/a/*");
  expect(pathOf(compiled, "/a/b", { host: "other.example" })).toBe("/a/b");
});

test("no routes: nothing passes", () => expect(pathOf(table(), "/")).toBeUndefined());

test("the order of the table never matters", () => {
  const segment = fc.constantFrom("a", "b", ":x", ":y");
  const pattern = fc
    .tuple(fc.array(segment, { maxLength: 3 }), fc.constantFrom("", "/*"))
    .map(([segments, end]) => `/${segments.join("/")}`.replace(/\/$/, "") + end || "/");
  const shape = (path: string) => path.replaceAll(/:\w+/g, ":");
  const request = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 4 }).map((segments) => `/${segments.join("/")}`);
  fc.assert(
    fc.property(fc.uniqueArray(pattern, { selector: shape, maxLength: 12 }), request, (patterns, path) => {
      const sketches = patterns.map((each) => ({ path: each }));
      expect(pathOf(table(...sketches.toReversed()), path)).toBe(pathOf(table(...sketches), path));
    }),
  );
});
