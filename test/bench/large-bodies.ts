/**
 * `npm run large-bodies`: 1 GB up and 1 GB down through the gateway, and how much its memory grows meanwhile. Exits with 1 when that is more than
 * it may be. Linux only: it reads /proc.
 */
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import http, { type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { callApi } from "../../local/api-client.ts";
import { startTestSystem } from "../system.ts";

const MB = 1_000_000;
const LARGE = 1_000 * MB;
/** Before it counts, buffers and compilers have taken what they want. */
const WARM_UP = 64 * MB;
const GROWTH_MAX_MB = 30;
const PIECE = Buffer.alloc(MB / 10);
const SAMPLE_MS = 20;

/** Resident megabytes of the process that the gateway is in. */
function residentMb(pid: string): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return (Number(kilobytes) * 1_024) / MB;
}

/** The workerd that this process has started. */
function workerdPid(): string {
  const isOurs = (pid: string) => {
    try {
      const isChild = readFileSync(`/proc/${pid}/status`, "utf8").includes(`\nPPid:\t${process.pid}\n`);
      return isChild && readlinkSync(`/proc/${pid}/exe`).endsWith("/workerd");
    } catch {
      return false;
    }
  };
  const pid = readdirSync("/proc").find((entry) => /^\d+$/.test(entry) && isOurs(entry));
  if (pid === undefined) throw new Error("no workerd among the processes that were started");
  return pid;
}

/** Writes so many bytes as fast as they are taken. */
async function pour(into: NodeJS.WritableStream, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= PIECE.length) if (!into.write(PIECE)) await once(into, "drain");
  into.end();
}

async function countOf(body: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const piece of body) bytes += (piece as Buffer).length;
  return bytes;
}

async function transfer(gateway: URL, direction: "up" | "down", bytes: number): Promise<void> {
  const method = direction === "up" ? "POST" : "GET";
  const headers = direction === "up" ? { "Content-Length": bytes } : {};
  const request = http.request(new URL(`/${bytes}`, gateway), { method, headers });
  const answered = once(request, "response") as Promise<[IncomingMessage]>;
  if (direction === "up") await pour(request, bytes);
  else request.end();
  const [response] = await answered;
  const arrived = direction === "up" ? Number(response.headers["x-arrived"]) : await countOf(response);
  response.resume();
  if (arrived !== bytes) throw new Error(`${direction}: ${arrived} of ${bytes} bytes arrived`);
}

async function growthMb(gateway: URL, direction: "up" | "down"): Promise<number> {
  const pid = workerdPid();
  await transfer(gateway, direction, WARM_UP);
  const before = residentMb(pid);
  let most = before;
  const sampling = setInterval(() => (most = Math.max(most, residentMb(pid))), SAMPLE_MS);
  await transfer(gateway, direction, LARGE);
  clearInterval(sampling);
  return most - before;
}

const upstream = http
  .createServer((request, response) => {
    if (request.method === "POST") void countOf(request).then((bytes) => response.writeHead(200, { "X-Arrived": bytes }).end());
    else void pour(response.writeHead(200), Number(request.url?.slice(1)));
  })
  .listen(0, "127.0.0.1");
await once(upstream, "listening");
const system = await startTestSystem();
try {
  const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  const routes = [{ name: "all", methods: ["GET", "POST"], path: "/*", upstream: origin, public: true }];
  await callApi(system.controlPlane, system.adminKey, "PUT", "/routes", { routes });
  for (const direction of ["up", "down"] as const) {
    const growth = await growthMb(system.gateway, direction);
    console.log(`1 GB ${direction}: the gateway's memory grew by ${growth.toFixed(1)} MB at most (${GROWTH_MAX_MB} are allowed)`);
    if (growth > GROWTH_MAX_MB) process.exitCode = 1;
  }
} finally {
  await system[Symbol.asyncDispose]();
  upstream.closeAllConnections();
  upstream.close();
}
