/** The apps of the project, running. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import type { RunningApp, Settings } from "./apps/settings.ts";
import { PROJECT } from "./project.ts";

/** The frameworks, each with a way to start its app. */
export const FRAMEWORKS = [
  ["Express", startExpress],
  ["Hono", startHono],
  ["Next.js", startNext],
] as const satisfies readonly (readonly [string, (settings: Settings) => Promise<RunningApp>])[];

/** Starts the Express app. */
export async function startExpress(settings: Settings): Promise<RunningApp> {
  const app = (await import(path.join(PROJECT, "express.ts"))) as typeof import("./apps/express.ts");
  return app.start(settings);
}

async function startHono(settings: Settings): Promise<RunningApp> {
  const app = (await import(path.join(PROJECT, "hono.ts"))) as typeof import("./apps/hono.ts");
  return app.start(settings);
}

/** Next.js in development, as a process of its own: it takes over the one it runs in, and lets no other into the folder. */
async function startNext(settings: Settings): Promise<RunningApp> {
  const env = { ...process.env, NODE_ENV: "development" as const, NEXT_TELEMETRY_DISABLED: "1", SETTINGS: JSON.stringify(settings) };
  const folder = mkdtempSync(path.join(PROJECT, "next-"));
  cpSync(path.join(PROJECT, "next"), folder, { recursive: true });
  const server = spawn(process.execPath, [path.join(folder, "server.ts")], { cwd: PROJECT, env, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(server, "exit");
  for await (const line of createInterface(server.stdout)) {
    const [, origin] = /^listening (.+)$/.exec(line) ?? [];
    if (origin === undefined) continue;
    server.stdout.resume();
    return {
      origin,
      stop: async () => {
        server.kill("SIGKILL");
        await ended;
      },
    };
  }
  throw new Error("Next.js did not start");
}
