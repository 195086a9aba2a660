/**
 * How often each branch of the protocol was taken, measured by the engine that runs it: the product's own files, with no counters
 * of ours in them.
 */
import { Session } from "node:inspector/promises";
import { readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The files that make up the protocol. */
const PROTOCOL_FILES = [
  "core/protocol/primary.ts",
  "core/protocol/replica.ts",
  "core/protocol/edge-views.ts",
  "core/protocol/floor-window.ts",
  "core/edge/key-memory.ts",
  "core/edge/route-memory.ts",
  "core/edge/request.ts",
] as const;

const ROOT = path.resolve(import.meta.dirname, "../..");

/** A stretch of code that is run or not run as a whole. */
export interface Branch {
  readonly file: string;
  readonly line: number;
  /** Its first words. */
  readonly text: string;
  readonly times: number;
}

/** Runs something and counts. */
export async function branchesOf(run: () => void): Promise<Branch[]> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  run();
  const { result } = await session.post("Profiler.takePreciseCoverage");
  await session.post("Profiler.stopPreciseCoverage");
  session.disconnect();
  return result.flatMap(({ url, functions }) => {
    const file = PROTOCOL_FILES.find((each) => url.startsWith("file:") && fileURLToPath(url) === path.join(ROOT, each));
    if (file === undefined) return [];
    const source = readFileSync(path.join(ROOT, file), "utf8");
    // What is only there to be looked at is no part of the protocol.
    const own = functions.filter(({ functionName }) => functionName !== "toJSON");
    return own.flatMap(({ ranges }) => ranges.map(({ startOffset, count }) => branchAt(file, source, startOffset, count)));
  });
}

function branchAt(file: string, source: string, offset: number, times: number): Branch {
  const line = source.slice(0, offset).split("\n").length;
  const text = source
    .slice(offset, offset + 60)
    .replaceAll(/\s+/g, " ")
    .trim();
  return { file, line, text, times };
}
