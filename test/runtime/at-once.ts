/** A change must be in force on the very next request: with KV held back, at a gateway that knows the key and at one that does not. */
import { env } from "cloudflare:workers";
import { expect } from "vitest";
import { recordName } from "../../core/record.ts";
import { kvFaults } from "./faulty-kv.ts";
import { tokenIdOf, type IssuedKey } from "./installation.ts";
import { observeGateway, type ObservedGateway } from "./observed-gateway.ts";
import { drainOutboxes, publishedRecord } from "./outbox.ts";

/** A gateway that has accepted the key and remembers it. */
export async function gatewayThatKnows(key: IssuedKey, path: string): Promise<ObservedGateway> {
  const gateway = observeGateway();
  expect((await gateway.get(path, key.value)).status).toBe(200);
  return gateway;
}

/** A change to a key, and what a request then gets. */
interface Change {
  readonly key: IssuedKey;
  readonly path: string;
  readonly make: () => Promise<unknown>;
  readonly expected: { readonly status: number; readonly reason: string };
}

/** Publishes the key, holds the outbox back, makes the change, and asks both kinds of gateway. */
export async function expectAtOnce({ key, path, make, expected }: Change): Promise<void> {
  await drainOutboxes();
  const warm = await gatewayThatKnows(key, path);
  const before = await env.KEYS.get(recordName(tokenIdOf(key)));
  expect(await publishedRecord(tokenIdOf(key))).toMatchObject({ state: "active" });
  kvFaults.putsRefused = true;
  await make();
  for (const gateway of [warm, observeGateway()]) {
    const response = await gateway.get(path, key.value);
    expect({ status: response.status, reason: reasonOf(gateway) }).toEqual(expected);
  }
  expect(await env.KEYS.get(recordName(tokenIdOf(key)))).toBe(before);
}

/** The precise reason of the last decision, from the log. */
export function reasonOf(gateway: ObservedGateway): unknown {
  return (JSON.parse(gateway.logLines.at(-1) ?? "{}") as { reason?: string }).reason;
}
