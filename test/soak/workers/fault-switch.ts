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

/** PUT takes the names of the faults that are to be on, as JSON; GET tells what was {@link asked}. */
export class FaultSwitch extends WorkerEntrypoint {
  override async fetch(request: Request): Promise<Response> {
    if (request.method === "GET") return Response.json(asked);
    active = new Set(await request.json<FaultName[]>());
    return new Response(null, { status: 204 });
  }
}
