/** Ranges of time that end before they begin, at every endpoint that takes one. */
import { beforeAll, describe, expect, it } from "vitest";
import { ENDPOINTS } from "../../control-plane/http/sections.ts";
import { ask } from "./control-plane-client.ts";
import { nameOf, pathOf } from "./every-endpoint.ts";
import { install, type Installation } from "./installation.ts";

const NOON = "2026-11-30T12:00:00.000Z";
/** A millisecond before, said in another zone. */
const EARLIER = "2026-11-30T13:59:59.999+02:00";

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});

const RANGED = ENDPOINTS.filter(({ query }) => query && "range_start" in query.shape);
const asked = async (path: string, range: Readonly<Record<string, string>>) =>
  ask(installation.adminKey, "GET", `${path}?${new URLSearchParams(range).toString()}`);

describe("a range that ends before it begins", () => {
  it("is a mistake that more than one endpoint can be asked to make", () => {
    expect(RANGED.map(({ path }) => path)).toEqual(expect.arrayContaining(["/events", "/usage", "/audit_logs/entries"]));
  });

  it.each(RANGED.map((endpoint) => [nameOf(endpoint), pathOf(endpoint)]))(
    "is refused by %s, and one of a moment is not",
    async (_, path) => {
      const { status, body } = await asked(path, { range_start: NOON, range_end: EARLIER });
      expect([status, body]).toEqual([
        400,
        {
          code: "invalid_range",
          message: expect.stringContaining("range_start must not be after range_end") as string,
          errors: [{ code: "invalid_range", field: "range_start", message: body["message"] }],
        },
      ]);
      expect((await asked(path, { range_start: NOON, range_end: NOON })).body["code"]).not.toBe("invalid_range");
      expect((await asked(path, { range_start: EARLIER, range_end: NOON })).body["code"]).not.toBe("invalid_range");
    },
  );

  it("is also one that begins after now where now is its end", async () => {
    expect(await asked("/usage", { range_start: "9999-01-01T00:00:00.000Z" })).toMatchObject({
      status: 400,
      body: { code: "invalid_range" },
    });
    expect(await asked("/events", { range_start: "9999-01-01T00:00:00.000Z" })).toMatchObject({ status: 200, body: { data: [] } });
  });

  it("says what else is wrong first: an end that is no time is no end", async () => {
    const { status, body } = await asked("/events", { range_start: NOON, range_end: "yesterday" });
    expect([status, body["errors"]]).toMatchObject([422, [{ field: "range_end" }]]);
  });
});
