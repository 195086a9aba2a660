/** What the SDK remembers, and for how long: the gateway's keys, and, where the operator accepts it, the control plane's answers. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { makeSecrets } from "../../local/secrets.ts";
import { keySetResponse, type AssertionKeys } from "../../worker/assertion-keys.ts";
import { claimsFor, signed, signingKeyOf } from "./assertions.ts";
import { startExpress } from "./frameworks.ts";
import { relayTo } from "./relay.ts";

const START_MS = Date.UTC(2026, 10, 24);
const [old, fresh] = [signingKeyOf(makeSecrets().gateway.ASSERTION_KEYS), signingKeyOf(makeSecrets().gateway.ASSERTION_KEYS)];

afterEach(() => {
  vi.useRealTimers();
});

/** An app, and a gateway that has published these keys; the clock stands at {@link START_MS}. */
async function behindGateway(published: AssertionKeys) {
  const world = { published };
  const gateway = await relayTo(() => keySetResponse(world.published));
  const app = await startExpress({ behind: "gateway", options: { gateway: gateway.origin } });
  vi.useFakeTimers({ toFake: ["Date"], now: START_MS });
  const statusFor = async (key: typeof old) => {
    const assertion = await signed(key, claimsFor(app.origin));
    return (await fetch(new URL("/me", app.origin), { headers: { "Portcullis-Assertion": assertion } })).status;
  };
  const stop = async () => {
    await app.stop();
    await gateway[Symbol.asyncDispose]();
  };
  return { world, gateway, statusFor, [Symbol.asyncDispose]: stop };
}

describe("the gateway's keys", () => {
  it("are asked for once, and again for a key id that is not among them, but not each time somebody makes one up", async () => {
    await using scene = await behindGateway([old]);
    const { world, gateway, statusFor } = scene;
    expect([await statusFor(old), await statusFor(old), gateway.asked]).toEqual([200, 200, 1]);
    world.published = [fresh, old];
    expect([await statusFor(fresh), gateway.asked]).toEqual([401, 1]);
    vi.setSystemTime(START_MS + 6_000);
    expect([await statusFor(fresh), await statusFor(old), gateway.asked]).toEqual([200, 200, 2]);
  });

  it("that were taken out are not believed for more than five minutes", async () => {
    await using scene = await behindGateway([old, fresh]);
    const { world, statusFor } = scene;
    expect(await statusFor(old)).toBe(200);
    world.published = [fresh];
    vi.setSystemTime(START_MS + 301_000);
    expect([await statusFor(old), await statusFor(fresh)]).toEqual([401, 200]);
  });

  it.each(["cut", "nonsense", 404, 500] as const)("that cannot be fetched (%s) let nobody through", async (behaviour) => {
    await using scene = await behindGateway([old]);
    const { gateway, statusFor } = scene;
    gateway.behaviour = behaviour;
    expect(await statusFor(old)).toBe(503);
    gateway.behaviour = "pass";
    expect(await statusFor(old)).toBe(200);
    gateway.behaviour = behaviour;
    vi.setSystemTime(START_MS + 299_000);
    expect(await statusFor(old)).toBe(200);
    vi.setSystemTime(START_MS + 301_000);
    expect(await statusFor(old)).toBe(503);
  });
});
