/** One running system per installation: two on the same state would destroy it. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Takes the lock in a folder until this process ends, or answers the number of the process that holds it. */
export function takeLock(folder: string): { readonly heldBy: number } | undefined {
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, "lock");
  const holder = readHolder(file);
  if (holder !== undefined && isRunning(holder)) return { heldBy: holder };
  rmSync(file, { force: true });
  writeFileSync(file, String(process.pid), { flag: "wx" });
  process.on("exit", () => rmSync(file, { force: true }));
  return undefined;
}

function readHolder(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, "utf8"));
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // It runs, but belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
