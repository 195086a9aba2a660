/** How much memory an isolate holds. */

/** A connection to an isolate's inspector (the Chrome DevTools Protocol). */
export class Inspector implements Disposable {
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

  /** Connects to the isolate that is inspected there. */
  static async of(url: URL): Promise<Inspector> {
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", () => reject(new Error("the inspector cannot be reached")));
    });
    return new Inspector(socket);
  }

  /** Bytes in use by the isolate after its garbage has been collected. Not answered where Durable Objects are: see {@link usedBytes}. */
  async heapBytes(): Promise<number> {
    await this.#call("HeapProfiler.enable");
    await this.#call("HeapProfiler.collectGarbage");
    return this.usedBytes();
  }

  /** Bytes in use by the isolate, garbage included. */
  async usedBytes(): Promise<number> {
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
