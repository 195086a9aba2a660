/** The receiver's process as tests inside workerd reach it. */
import { inject } from "vitest";
import type { Receiver as SimulatedReceiver } from "../runtime/webhook-world.ts";
import type { HookSettings, Report } from "./report.ts";

const origin = (): string => inject("receiver");

async function order(what: string, body: string): Promise<unknown> {
  const response = await fetch(`${origin()}/control/${what}`, { method: "POST", body });
  if (!response.ok) throw new Error(`${what}: ${response.status}`);
  return response.json();
}

/** Where a hook is. */
export const urlOf = (name: string): string => `${origin()}/hooks/${name}`;

/** Has a hook behave in a way from now on. */
export const behave = (name: string, settings: HookSettings): Promise<unknown> => order(name, JSON.stringify(settings));

/** Sets the receiver's clock. */
export const setClock = (nowMs: number): Promise<unknown> => order("clock", String(nowMs));

/** What has arrived. */
export const report = async (): Promise<Report> => (await order("report", "")) as Report;

/** A receiver of the dispatchers' world that is reached as any other server is: over the platform's own fetch. */
export const overTheWire: SimulatedReceiver = ({ url }, init) => fetch(url, init);
