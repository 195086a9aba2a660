/** What the keys that an isolate remembers cost in memory, measured in the gateway as shipped, through its inspector. */
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

/** A connection to an isolate's inspector (the Chrome DevTools Protocol). */
class Inspector implements Disposable {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (result: Record<string, unknown>) => void>();
  #calls = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const { id, result } = JSON.parse(String(data)) as { readonly id?: number; readonly result?: Record<string, unknown> };
      if (id !== undefined) this.#waiting.get(id)?.(result ?? {});
    });
  }

  static async of(url: URL): Promise<Inspector> {
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", () => reject(new Error("the inspector cannot be reached")));
    });
    return new Inspector(socket);
  }

  /** Bytes in use by the isolate after its garbage has been collected. */
  async heapBytes(): Promise<number> {
    await this.#call("HeapProfiler.enable");
    await this.#call("HeapProfiler.collectGarbage");
    const { usedSize } = await this.#call("Runtime.getHeapUsage");
    if (typeof usedSize !== "number") throw new Error("the inspector does not tell the size of the heap");
    return usedSize;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  #call(method: string): Promise<Record<string, unknown>> {
    this.#calls += 1;
    const id = this.#calls;
    const answer = new Promise<Record<string, unknown>>((resolve) => this.#waiting.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method }));
    return answer;
  }
}
