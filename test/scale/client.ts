/** Calls of the control plane, timed. */
import type { Json } from "../../local/api-client.ts";

/** What a call may carry besides its path. */
export interface Sent {
  readonly method?: string;
  readonly body?: Json;
  /** Another caller than the administrator. */
  readonly token?: string;
}

/** A control plane and its administrator. Whoever changes something does not wait until it is in force: that wait is the leases', whatever there is. */
export class Client {
  readonly #base: URL;
  readonly #adminKey: string;

  constructor(base: URL, adminKey: string) {
    this.#base = base;
    this.#adminKey = adminKey;
  }

  /** The answer of a call that must succeed. */
  async call(path: string, { method = "GET", body, token = this.#adminKey }: Sent = {}): Promise<Json> {
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json", Prefer: "respond-async" };
    const response = await fetch(new URL(path, this.#base), { method, headers, ...(body && { body: JSON.stringify(body) }) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === "" ? {} : (JSON.parse(text) as Json);
  }

  async post(path: string, body: Json): Promise<Json> {
    return this.call(path, { method: "POST", body });
  }
}

/** How long something takes, in ms. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

/** Does something so many times, a few at once. */
export async function many(count: number, work: (at: number) => Promise<void>): Promise<void> {
  const AT_ONCE = 16;
  let next = 0;
  const some = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, some));
}
