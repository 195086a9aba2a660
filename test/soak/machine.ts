/** What the operating system tells of the processes under test: their memory, and whether they were given time to run. Linux only. */
import { readdir, readFile } from "node:fs/promises";

const NANOSECONDS_PER_MS = 1_000_000;

/** The id of the workerd that this process has started; undefined where it cannot be told. */
export async function workerdPid(): Promise<string | undefined> {
  for (const pid of (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    const status = await statusOf(pid);
    if (status.startsWith("Name:\tworkerd") && status.includes(`\nPPid:\t${process.pid}\n`)) return pid;
  }
  return undefined;
}

/** Bytes of its own memory that are resident, without files that it has mapped; NaN where it cannot be told. */
export async function residentBytes(pid: string | undefined): Promise<number> {
  return Number(/\nRssAnon:\s+(\d+) kB/.exec(pid === undefined ? "" : await statusOf(pid))?.[1]) * 1_024;
}

/** For how many ms, since it began, it could have run and was not given a processor; 0 where it cannot be told. */
export async function waitedMs(pid: string | undefined): Promise<number> {
  const text = pid === undefined ? "" : await readFile(`/proc/${pid}/schedstat`, "utf8").catch(() => "");
  return Number(text.split(" ")[1] ?? 0) / NANOSECONDS_PER_MS;
}

async function statusOf(pid: string): Promise<string> {
  return readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
}
