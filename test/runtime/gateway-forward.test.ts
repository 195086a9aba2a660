/** What an allowed request becomes on its way to the customer's API, and what comes back. */
import { beforeAll, describe, expect, it } from "vitest";
import { install, UPSTREAM, type Installation, type IssuedKey } from "./installation.ts";
import { observeGateway } from "./observed-gateway.ts";

let installation: Installation;
let organization: string;
let key: IssuedKey;
beforeAll(async () => {
  installation = await install();
  organization = await installation.organization();
  key = await installation.key(organization, ["orders:read", "orders:write"]);
});

/** Sends a request with the key and answers what the upstream got. */
async function forwarded(path: string, init: RequestInit = {}): Promise<Request> {
  const gateway = observeGateway();
  const response = await gateway.send(path, { ...init, headers: { "X-API-Key": key.value, ...init.headers } });
  expect(response.status).toBe(200);
  const [request] = gateway.forwarded;
  if (!request) throw new Error("nothing was forwarded");
  return request;
}

describe("the upstream", () => {
  it("gets the path and the query as they came, behind its own base path", async () => {
    const request = await forwarded("/orders?b=%2F..%2F&a=1");
    expect(request.url).toBe(`${UPSTREAM}/orders?b=%2F..%2F&a=1`);
    expect([request.method, request.redirect]).toEqual(["GET", "manual"]);
  });

  it("is told who is calling, and not with what", async () => {
    const { headers } = await forwarded("/orders");
    expect(headers.get("portcullis-key-id")).toBe(key.id);
    expect(headers.get("portcullis-organization-id")).toBe(organization);
    expect(headers.get("portcullis-permissions")).toBe("orders:read orders:write");
    expect(headers.get("portcullis-environment")).toBe("live");
    expect(headers.has("portcullis-user-id")).toBe(false);
    expect(JSON.stringify([...headers]).includes(key.value)).toBe(false);
  });

  it.each([
    "Portcullis-User-Id",
    "portcullis_user_id",
    "PORTCULLIS.USER.ID",
    "X-Forwarded-For",
    "X-Forwarded",
    "X_Forwarded_Proto",
    "Forwarded",
    "X-Real-IP",
    "X-Client-IP",
    "True-Client-IP",
    "X-Original-URL",
    "X-Original-Host",
    "X-Rewrite-URL",
    "X-HTTP-Method-Override",
    "Proxy-Authorization",
    "TE",
    "Expect",
  ])("does not see the caller's own %s", async (name) => {
    const { headers } = await forwarded("/orders", { headers: { [name]: "of-the-caller" } });
    expect([...headers].filter(([, value]) => value.includes("of-the-caller"))).toEqual([]);
  });

  it("gets every other header", async () => {
    const { headers } = await forwarded("/orders", { headers: { "If-None-Match": '"x"', "X-Custom": "y", Cookie: "a=b" } });
    expect([headers.get("if-none-match"), headers.get("x-custom"), headers.get("cookie")]).toEqual(['"x"', "y", "a=b"]);
  });

  it("gets a body as it is", async () => {
    const request = await forwarded("/orders", { method: "POST", body: "one, two", headers: { "Content-Type": "text/plain" } });
    expect(await request.text()).toBe("one, two");
    expect(request.headers.get("content-type")).toBe("text/plain");
  });

  it("gets a GET that came with an empty body like any other", async () => {
    const request = await forwarded("/orders", { headers: { "Content-Length": "0" } });
    expect([request.body, request.headers.has("content-length")]).toEqual([null, false]);
  });
});

describe("the client", () => {
  it("gets the upstream's answer: status, headers, several cookies, redirects as they are", async () => {
    const gateway = observeGateway();
    const headers = new Headers({ Location: "https://elsewhere.example/", "Keep-Alive": "timeout=5", "X-Own": "z" });
    headers.append("Set-Cookie", "a=1");
    headers.append("Set-Cookie", "b=2");
    gateway.faults.upstream = async () => new Response("moved", { status: 302, headers });
    const response = await gateway.get("/orders", key.value);
    expect([response.status, response.headers.get("location"), response.headers.get("x-own")]).toEqual([
      302,
      "https://elsewhere.example/",
      "z",
    ]);
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(response.headers.has("keep-alive")).toBe(false);
    expect(response.headers.get("portcullis-request-id")).toMatch(/^req_[0-9a-f]{32}$/);
    expect(await response.text()).toBe("moved");
  });

  it("is told 502 when the upstream gives no answer; a GET has been tried twice, a POST once", async () => {
    for (const [method, tries] of [
      ["GET", 2],
      ["POST", 1],
    ] as const) {
      const gateway = observeGateway();
      gateway.faults.upstream = async () => {
        throw new TypeError("Network connection lost.");
      };
      const response = await gateway.send("/orders", { method, headers: { "X-API-Key": key.value } });
      expect([response.status, gateway.calls.upstream]).toEqual([502, tries]);
      expect(await response.json()).toMatchObject({ code: "upstream_unreachable" });
    }
  });

  it("sees how long each step took when the operator wants that, and not otherwise", async () => {
    const timed = await observeGateway({ SERVER_TIMING: "on" }).get("/orders", key.value);
    expect(timed.headers.get("server-timing")).toMatch(/replica;dur=\d+.*upstream;dur=\d+.*total;dur=\d+/);
    expect((await observeGateway().get("/orders", key.value)).headers.has("server-timing")).toBe(false);
  });

  it("sees one time for the upstream, however often it was asked", async () => {
    const gateway = observeGateway({ SERVER_TIMING: "on" });
    const { upstream } = gateway.faults;
    let tries = 0;
    gateway.faults.upstream = async (request) => {
      tries += 1;
      if (tries === 1) throw new TypeError("Network connection lost.");
      return upstream(request);
    };
    const response = await gateway.get("/orders", key.value);
    expect([response.status, tries]).toEqual([200, 2]);
    expect(response.headers.get("server-timing")?.match(/upstream;dur=\d+/g)).toHaveLength(1);
  });
});
