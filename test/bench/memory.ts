/** What the keys that an isolate remembers cost in memory, measured in the gateway as shipped, through its inspector. */
import { Inspector } from "../inspector.ts";
import { startBenchSystem } from "./system.ts";

/** Distinct keys, as many as an isolate remembers. */
export const REMEMBERED_KEYS = 10_000;
const REQUESTS_AT_ONCE = 32;
const BYTES_PER_MB = 1_000_000;

/** Megabytes of the gateway's heap after {@link REMEMBERED_KEYS} different keys have passed, above those after the first one. Garbage does not count. */
export async function rememberedKeysMb(): Promise<number> {
  await using system = await startBenchSystem({ isInspected: true });
  using inspector = await Inspector.of(system.inspector("gateway"));
  const keys = await system.makeKeys(REMEMBERED_KEYS);
  const pass = (key: string) => requirePassed(system.urls.gateway, key);
  await pass(system.keys.warm);
  const empty = await inspector.heapBytes();
  const toPass = keys.values();
  await Promise.all(
    Array.from({ length: REQUESTS_AT_ONCE }, async () => {
      for (const key of toPass) await pass(key);
    }),
  );
  return ((await inspector.heapBytes()) - empty) / BYTES_PER_MB;
}

async function requirePassed(url: string, key: string): Promise<void> {
  const response = await fetch(url, { headers: { Authorization: `Bearer ${key}` } });
  await response.arrayBuffer();
  if (response.status !== 200) throw new Error(`memory: expected 200 for every key, got ${response.status}`);
}
