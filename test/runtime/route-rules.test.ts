/** What a route says besides permissions, at the gateway: networks, places of the key, excluded keys, pages of browsers, headers. With attacks. */
import { beforeAll, describe, expect, it } from "vitest";
import { ask, faultyFields } from "./control-plane-client.ts";
import { install, UPSTREAM, type Installation, type IssuedKey, type Json } from "./installation.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";

const PAGE = "https://app.example.com";
const route = (name: string, more: Json) => ({ name, methods: ["GET"], path: `/${name}`, upstream: UPSTREAM, ...more });
const READ = { permissions: { all: ["orders:read"] } };
const ROUTES = [
  route("inside", { ...READ, networks: ["192.0.2.0/24", "2001:db8::/32"] }),
  route("inside-public", { public: true, networks: ["192.0.2.0/24"] }),
  route("bearer-only", { ...READ, credentials: ["bearer"] }),
  route("x-api-key-only", { ...READ, credentials: ["x-api-key"] }),
  route("basic-only", { ...READ, credentials: ["basic"] }),
  route("narrow", { permissions: { all: ["orders:read"], not: ["orders:write"] } }),
  route("no-orders", { permissions: { any: ["reports:read"], not: ["orders:*"] } }),
  route("paged", {
    ...READ,
    methods: ["GET", "POST"],
    cors: { origins: [PAGE, "http://localhost:3000"], headers: ["X-Trace"], exposed: ["ETag"], credentials: true, maxAge: 60 },
  }),
  route("any-page", { ...READ, cors: { origins: ["*"] } }),
  route("paged-inside", { ...READ, networks: ["192.0.2.0/24"], cors: { origins: ["*"] } }),
  route("own-cors", { ...READ }),
  { ...route("own-preflights", { public: true, methods: ["OPTIONS"] }), path: "/own-cors" },
  route("ruled", {
    ...READ,
    headers: {
      request: { set: { "X-Tenant": "acme" }, remove: ["Cookie"] },
      response: { set: { "Strict-Transport-Security": "max-age=1" }, remove: ["Server", "X-Powered-By"] },
    },
  }),
];

let installation: Installation;
let key: IssuedKey;
beforeAll(async () => {
  installation = await install();
  await installation.must("POST", "/authorization/permissions", { slug: "orders:*", name: "Orders" });
  await installation.must("PUT", "/routes", { routes: ROUTES });
  key = await installation.key(await installation.organization(), ["orders:read"]);
});

async function outcome(gateway: ObservedGateway, path: string, init: RequestInit = {}): Promise<[status: number, reason: unknown]> {
  const { status } = await gateway.send(path, init);
  return [status, (JSON.parse(gateway.logLines.at(-1) ?? "{}") as Json)["reason"]];
}
const bearer = () => ({ Authorization: `Bearer ${key.value}` });

describe("networks of a route", () => {
  it("let requests in from there only, with a key and without", async () => {
    const gateway = observeGateway();
    for (const inside of ["192.0.2.9", "::ffff:192.0.2.9", "2001:db8::1"])
      expect(await outcome(gateway, "/inside", { headers: { ...bearer(), "CF-Connecting-IP": inside } })).toEqual([200, undefined]);
    expect(await outcome(gateway, "/inside-public", { headers: { "CF-Connecting-IP": "192.0.2.1" } })).toEqual([200, undefined]);
    for (const [path, headers] of [
      ["/inside", bearer()],
      ["/inside", {}],
      ["/inside-public", {}],
    ] as const)
      expect(await outcome(gateway, path, { headers: { ...headers, "CF-Connecting-IP": "198.51.100.1" } })).toEqual([
        403,
        "route_network_not_allowed",
      ]);
  });

  it("believe nothing a client says of its address", async () => {
    const inside = "192.0.2.9";
    const claims = {
      "X-Forwarded-For": inside,
      Forwarded: `for=${inside}`,
      "X-Real-IP": inside,
      "True-Client-IP": inside,
      CF_Connecting_IP: inside,
    };
    const gateway = observeGateway();
    expect(await outcome(gateway, "/inside", { headers: { ...bearer(), ...claims } })).toEqual([403, "client_address_unknown"]);
    expect(await outcome(gateway, "/inside", { headers: { ...bearer(), ...claims, "CF-Connecting-IP": "198.51.100.1" } })).toEqual([
      403,
      "route_network_not_allowed",
    ]);
    expect(gateway.calls.upstream).toBe(0);
  });

  it("say nothing of any key to who is elsewhere", async () => {
    const answers = await Promise.all(
      [key.value, ""].map(async (value) => {
        const headers = value === "" ? {} : { Authorization: `Bearer ${value}` };
        const { request_id: _, ...body } = await (await observeGateway().send("/inside", { headers })).json<Json>();
        return body;
      }),
    );
    expect(answers[0]).toEqual(answers[1]);
    expect(JSON.stringify(answers)).not.toContain("192.0.2");
  });
});

describe("places of the key", () => {
  const carried = {
    bearer,
    "x-api-key": () => ({ "X-API-Key": key.value }),
    basic: () => ({ Authorization: `Basic ${btoa(`${key.value}:`)}` }),
  };

  it("are those the route names, and no others", async () => {
    for (const wanted of ["bearer", "x-api-key", "basic"] as const)
      for (const place of ["bearer", "x-api-key", "basic"] as const) {
        const refused = [401, place === "basic" ? "basic_not_allowed" : "credential_place_not_allowed"];
        const expected = place === wanted ? [200, undefined] : refused;
        expect([wanted, place, await outcome(observeGateway(), `/${wanted}-only`, { headers: carried[place]() })]).toEqual([
          wanted,
          place,
          expected,
        ]);
      }
  });
});

describe("permissions that a route excludes", () => {
  it.each<[string, string, readonly string[], number]>([
    ["the very permission", "/narrow", ["orders:read", "orders:write"], 403],
    ["a wildcard that covers it", "/narrow", ["orders:*"], 403],
    ["others only", "/narrow", ["orders:read", "reports:read"], 200],
    ["one that the excluded wildcard covers", "/no-orders", ["reports:read", "orders:read"], 403],
    ["none of what the excluded wildcard covers", "/no-orders", ["reports:read"], 200],
  ])("refuse a key with %s: %s %j %i", async (_, path, permissions, status) => {
    const holder = await installation.key(await installation.organization(), permissions);
    const response = await observeGateway().get(path, holder.value);
    expect(response.status).toBe(status);
    if (status === 403) {
      expect(await response.json()).toMatchObject({
        code: "excluded_permission",
        excluded_permissions: [path === "/narrow" ? "orders:write" : "orders:*"],
      });
      expect(response.headers.has("www-authenticate")).toBe(false);
    }
  });
});

describe("web pages", () => {
  const preflight = (gateway: ObservedGateway, path: string, origin: string, method = "POST", more: Record<string, string> = {}) =>
    gateway.send(path, { method: "OPTIONS", headers: { Origin: origin, "Access-Control-Request-Method": method, ...more } });
  const cors = (response: Response) => Object.fromEntries([...response.headers].filter(([name]) => name.startsWith("access-control-")));

  it("of a listed origin are told what they may send, without a key, and the upstream is not asked", async () => {
    const gateway = observeGateway();
    const response = await preflight(gateway, "/paged", PAGE);
    expect([response.status, cors(response), response.headers.get("vary")]).toEqual([
      204,
      {
        "access-control-allow-origin": PAGE,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, POST, HEAD",
        "access-control-allow-headers": "X-Trace, Authorization, X-API-Key",
        "access-control-max-age": "60",
        "access-control-expose-headers": "Portcullis-Request-Id, ETag",
      },
      "Origin",
    ]);
    expect(gateway.calls.upstream).toBe(0);
    expect(JSON.parse(gateway.logLines.at(-1) ?? "{}")).toMatchObject({ outcome: "allow", route: "paged", preflight: true });
  });

  it.each([
    "null",
    "https://evil.example",
    `${PAGE}.evil.example`,
    "https://evil-app.example.com",
    "http://app.example.com",
    `${PAGE}:443`,
    `${PAGE}/`,
    PAGE.toUpperCase(),
    `${PAGE}, https://evil.example`,
    "*",
    "",
    "http://localhost:30000",
  ])("of origin %j are told nothing, by preflights, answers and refusals", async (origin) => {
    const gateway = observeGateway();
    const asked = await preflight(gateway, "/paged", origin);
    expect([asked.status, cors(asked)]).toEqual([403, {}]);
    for (const headers of [{ ...bearer(), Origin: origin }, { Origin: origin }]) {
      const answer = await gateway.send("/paged", { headers });
      expect([cors(answer), answer.headers.get("vary")]).toEqual([{}, "Origin"]);
    }
  });

  it("may read answers and refusals, whatever the upstream says of its own accord", async () => {
    const gateway = observeGateway();
    gateway.faults.upstream = async ({ headers }) =>
      new Response("", {
        headers: {
          Vary: "Accept",
          "Access-Control-Allow-Origin": headers.get("origin") ?? "*",
          "Access-Control-Allow-Credentials": "true",
          "Access-Control-Allow-Methods": "DELETE",
        },
      });
    const shared = {
      "access-control-allow-origin": PAGE,
      "access-control-allow-credentials": "true",
      "access-control-expose-headers": "Portcullis-Request-Id, ETag",
    };
    const allowed = await gateway.send("/paged", { headers: { ...bearer(), Origin: PAGE } });
    expect([allowed.status, cors(allowed), allowed.headers.get("vary")]).toEqual([200, shared, "Accept, Origin"]);
    const refused = await gateway.send("/paged", { headers: { Origin: PAGE } });
    expect([refused.status, cors(refused)]).toEqual([401, shared]);
    const evil = await gateway.send("/paged", { headers: { ...bearer(), Origin: "https://evil.example" } });
    expect([evil.status, cors(evil), evil.headers.get("vary")]).toEqual([200, {}, "Accept, Origin"]);
  });

  it("of any origin may call where any may, and are never named", async () => {
    const gateway = observeGateway();
    for (const origin of ["null", "https://evil.example"]) {
      expect(cors(await preflight(gateway, "/any-page", origin, "GET"))["access-control-allow-origin"]).toBe("*");
      const answer = await gateway.send("/any-page", { headers: { ...bearer(), Origin: origin } });
      expect(cors(answer)).toEqual({ "access-control-allow-origin": "*", "access-control-expose-headers": "Portcullis-Request-Id" });
      expect(answer.headers.has("vary")).toBe(false);
    }
  });

  it("get no preflight answered for a method that no route takes, nor from another network", async () => {
    const gateway = observeGateway();
    expect(
      await outcome(gateway, "/paged", { method: "OPTIONS", headers: { Origin: PAGE, "Access-Control-Request-Method": "DELETE" } }),
    ).toEqual([404, "no_route"]);
    expect(await outcome(gateway, "/paged", { method: "OPTIONS", headers: { Origin: PAGE } })).toEqual([404, "no_route"]);
    expect((await preflight(gateway, "/paged-inside", PAGE, "GET", { "CF-Connecting-IP": "198.51.100.1" })).status).toBe(403);
    expect((await preflight(gateway, "/paged-inside", PAGE, "GET", { "CF-Connecting-IP": "192.0.2.1" })).status).toBe(204);
  });

  it("are the upstream's business where the route says nothing of them", async () => {
    const gateway = observeGateway();
    gateway.faults.upstream = async () =>
      new Response(null, { status: 204, headers: { "Access-Control-Allow-Origin": "https://theirs.example" } });
    const response = await preflight(gateway, "/own-cors", PAGE, "GET");
    expect([response.status, cors(response), gateway.calls.upstream]).toEqual([
      204,
      { "access-control-allow-origin": "https://theirs.example" },
      1,
    ]);
  });
});

describe("header rules", () => {
  it("change what the upstream gets, also under names that some servers cannot tell apart", async () => {
    const gateway = observeGateway();
    await gateway.send("/ruled", { headers: { ...bearer(), "X-Tenant": "evil", X_Tenant: "evil", Cookie: "a=b", "X-Other": "kept" } });
    const headers = gateway.forwarded[0]?.headers;
    expect([headers?.get("x-tenant"), headers?.has("x_tenant"), headers?.has("cookie"), headers?.get("x-other")]).toEqual([
      "acme",
      false,
      false,
      "kept",
    ]);
    expect(headers?.get("portcullis-key-id")).toBe(key.id);
  });

  it("change what the client gets of the upstream, not what the gateway says itself", async () => {
    const gateway = observeGateway();
    gateway.faults.upstream = async () => new Response("", { headers: { Server: "secret/1.0", "X-Powered-By": "cats", ETag: '"x"' } });
    const allowed = await gateway.get("/ruled", key.value);
    const names = ["server", "x-powered-by", "etag", "strict-transport-security"];
    expect(names.map((name) => allowed.headers.get(name))).toEqual([null, null, '"x"', "max-age=1"]);
    const refused = await gateway.send("/ruled");
    expect([refused.status, refused.headers.has("strict-transport-security")]).toEqual([401, false]);
  });

  const publish = (headers: Json) => ask(installation.adminKey, "PUT", "/routes", { json: { routes: [route("r", { ...READ, headers })] } });

  it.each(["a\r\nX-Injected: 1", "a\nb", "a\u0000b", "a\u0085b", "é", " a", "a ", "", "x".repeat(1_025)])(
    "never hold the value %j",
    async (value) => {
      expect(faultyFields(await publish({ request: { set: { "X-A": value } } }))).toEqual(["routes.0.headers.request.set.X-A"]);
    },
  );

  it.each([
    "Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Proxy-Connection",
    "Proxy-Authorization",
    "Content-Length",
    "Host",
    "Via",
    "Authorization",
    "X-API-Key",
    "Forwarded",
    "X-Forwarded-For",
    "X-Real-IP",
    "CF-Connecting-IP",
    "Portcullis-Key-Id",
    "portcullis-assertion",
    "PORTCULLIS-Anything",
    "X-HTTP-Method-Override",
    "X-Original-URL",
    "Access-Control-Allow-Origin",
    "Sec-WebSocket-Key",
    "X_Tenant",
    "X Tenant",
    "X:",
    "X\r\nY",
    "",
  ])("never touch a header %j, either way, set or removed", async (name) => {
    for (const way of ["request", "response"])
      for (const rules of [{ remove: [name] }, { set: Object.fromEntries([[name, "a"]]) }]) {
        const refused = await publish({ [way]: rules });
        expect([way, Object.keys(rules), refused.status]).toEqual([way, Object.keys(rules), 422]);
      }
  });

  it("name each header once", async () => {
    expect((await publish({ request: { set: { "X-A": "1", "x-a": "2" } } })).status).toBe(422);
    expect((await publish({ request: { set: { "X-A": "1" }, remove: ["x-a"] } })).status).toBe(422);
  });
});

describe("a route is refused that", () => {
  it.each<[string, Json, string]>([
    ["is public and excludes keys", { public: true, permissions: { not: ["orders:read"] } }, "permissions.not"],
    ["excludes keys and asks for nothing", { permissions: { not: ["orders:read"] } }, "permissions"],
    ["states the places of the key twice", { ...READ, basic: true, credentials: ["bearer"] }, "credentials"],
    ["takes keys nowhere", { ...READ, credentials: [] }, "credentials"],
    ["has no network", { ...READ, networks: [] }, "networks"],
    ["has a network with bits beyond its prefix", { ...READ, networks: ["192.0.2.1/24"] }, "networks.0"],
    ["is open to any origin with cookies", { ...READ, cors: { origins: ["*"], credentials: true } }, "cors.origins"],
    ...[
      "null",
      "https://*.example.com",
      "https://a.example/",
      "https://a.example:443",
      "https://A.example",
      "a.example",
      "https://a b",
    ].map((origin): [string, Json, string] => [`lists the origin ${origin}`, { ...READ, cors: { origins: [origin] } }, "cors.origins"]),
  ])("%s", async (_, more, field) => {
    const refused = await ask(installation.adminKey, "PUT", "/routes", { json: { routes: [route("r", more)] } });
    expect([refused.status, faultyFields(refused)[0]?.startsWith(`routes.0.${field}`)]).toEqual([422, true]);
  });
});
