/** The faults that are on in this Worker, and the entrypoint by which the soak sets them. */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { FaultName } from "../faults.ts";

/** How often what hangs looks whether it may go on, in ms. */
const LOOK_MS = 50;

let active: ReadonlySet<FaultName> = new Set();

/** Whether a fault is on. */
export function isOn(fault: FaultName): boolean {
  return active.has(fault);
}

/** Hangs for as long as a fault is on, and then goes on as if nothing had been. */
export async function hangDuring(fault: FaultName): Promise<void> {
  while (isOn(fault)) await scheduler.wait(LOOK_MS);
}

/** Fails while a fault is on. */
export function failDuring(fault: FaultName): void {
  if (isOn(fault)) throw new Error("Network connection lost.");
}

/** What was asked of this Worker's objects so far. */
export const asked = { limiters: 0 };

/** Pieces that KV is exercised with: as many as keys in use, and of their size. */
const PIECES = 50;
const PIECE = "-".repeat(500);

/** PUT takes the names of the faults that are to be on, as JSON; GET tells what was {@link asked}; POST writes and reads KV as often as it says. */
export class FaultSwitch extends WorkerEntrypoint<{ readonly KEYS: KVNamespace }> {
  override async fetch(request: Request): Promise<Response> {
    if (request.method === "GET") return Response.json(asked);
    if (request.method === "POST") return this.#exerciseKv(await request.json<number>());
    active = new Set(await request.json<FaultName[]>());
    return new Response(null, { status: 204 });
  }

  async #exerciseKv(times: number): Promise<Response> {
    for (let at = 0; at < times; at += 1) {
      const name = `exercise:${at % PIECES}`;
      await this.env.KEYS.put(name, PIECE);
      await this.env.KEYS.get(name);
    }
    return new Response(null, { status: 204 });
  }
}
