/** The headers of W3C Trace Context and Baggage pass as they came, and only a valid trace id gets into the log. */
import { beforeAll, describe, expect, it } from "vitest";
import { install, type Installation, type IssuedKey, type Json } from "./installation.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";

let installation: Installation;
let key: IssuedKey;
let gateway: ObservedGateway;
beforeAll(async () => {
  installation = await install();
  key = await installation.key(await installation.organization(), ["orders:read"]);
  gateway = observeGateway();
});

/** Sends a request with headers; what the API saw of them, and the line of log. */
async function send(headers: Readonly<Record<string, string>>, path = "/orders") {
  gateway.logLines.splice(0);
  gateway.forwarded.splice(0);
  const { status } = await gateway.send(path, { headers: { Authorization: `Bearer ${key.value}`, ...headers } });
  return { status, seen: gateway.forwarded[0]?.headers, line: JSON.parse(gateway.logLines[0] ?? "") as Json };
}

describe("a trace", () => {
  it.each([
    { traceparent: `00-${TRACE_ID}-${PARENT}-01`, tracestate: "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7" },
    { traceparent: `00-${TRACE_ID}-${PARENT}-00`, baggage: "userId=alice,serverNode=DF%2028;prop=1, isProduction=false" },
    { traceparent: `cc-${TRACE_ID}-${PARENT}-01-what-the-future-will-be-like`, tracestate: "" },
    { traceparent: `01-${TRACE_ID}-${PARENT}-ff` },
  ])("that is valid passes unchanged and is in the log: %o", async (headers) => {
    const { status, seen, line } = await send(headers);
    expect(status).toBe(200);
    for (const [name, value] of Object.entries(headers)) expect(seen?.get(name), name).toBe(value);
    expect(line).toMatchObject({ outcome: "allow", trace_id: TRACE_ID });
  });

  it.each([
    "",
    "00",
    `00-${"0".repeat(32)}-${PARENT}-01`,
    `00-${TRACE_ID}-${"0".repeat(16)}-01`,
    `00-${TRACE_ID.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE_ID}-${PARENT}-01-more`,
    `00-${TRACE_ID}-${PARENT}-1`,
    `00-${TRACE_ID}0-${PARENT}-01`,
    `ff-${TRACE_ID}-${PARENT}-01`,
    `00-${TRACE_ID}-${PARENT}-01, 00-${TRACE_ID}-${PARENT}-01`,
    `00-${TRACE_ID.slice(0, 31)}"-${PARENT}-01`,
    `00-","outcome":"allow","x":"-${PARENT}-01`,
    `00-${"a".repeat(60_000)}`,
    `cc-${TRACE_ID}-${PARENT}-01${"-x".repeat(5_000)} `,
  ])("that is not is none of the gateway's business: it passes, and is not in the log (%#)", async (traceparent) => {
    const { status, seen, line } = await send({ traceparent, tracestate: 'a=","reason":"x"', baggage: "=;=,,%00" });
    expect(status).toBe(200);
    const sent = new Headers({ traceparent }).get("traceparent");
    expect(seen?.get("traceparent")).toBe(sent);
    expect([seen?.get("tracestate"), seen?.get("baggage")]).toEqual(['a=","reason":"x"', "=;=,,%00"]);
    expect(Object.keys(line)).not.toContain("x");
    const isValid = traceparent.startsWith("cc-");
    expect(line["trace_id"]).toBe(isValid ? TRACE_ID : undefined);
  });

  it("is in the log of a refusal as well", async () => {
    const { status, line } = await send({ traceparent: `00-${TRACE_ID}-${PARENT}-01` }, "/admin/x");
    expect([status, line["trace_id"]]).toEqual([403, TRACE_ID]);
  });

  it("is not made up where there is none", async () => {
    const { seen, line } = await send({});
    for (const name of ["traceparent", "tracestate", "baggage"]) expect(seen?.has(name), name).toBe(false);
    expect(Object.keys(line)).not.toContain("trace_id");
  });
});
