/** The clients: good keys and all that are not, over every gateway, with every kind of body. Each answer goes to the judge. */
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, fetch, type Response } from "undici";
import { hmacSha256 } from "../../core/digest.ts";
import { generateToken } from "../../core/token.ts";
import type { Random } from "../random.ts";
import { wasPassedOn, type Answer, type Judge, type Verdict } from "./judge.ts";
import type { LimitWatch } from "./limit-watch.ts";
import type { Presented, Sent } from "./oracle.ts";
import { NOTICED_AFTER_MS } from "./fault-log.ts";
import { isPosted, SOMETIMES, STEADY_ROUTES, TOGGLED, UPLOADED } from "./routes.ts";
import { streamPiece, type Upstream } from "./upstream.ts";
import type { Key, World } from "./world.ts";

interface Target {
  readonly gateways: readonly URL[];
  readonly world: World;
  readonly judge: Judge;
  readonly limits: LimitWatch;
  readonly upstream: Upstream;
  /** Hears of every verdict. */
  readonly judged: (sent: Sent, verdict: Verdict, at: number) => void;
}

/** Requests under way at once, at most. */
const UNDER_WAY_MAX = 300;
const STREAM = { bytes: 200_000, ofPlaces: 49_152, pauseMs: 30 } as const;
const UPLOAD_BYTES = 100_000;
/** Keys that the limited routes are asked with, so that these are hot. */
const HOT_KEYS = 3;
/** How often each path is asked for, relative to the others. */
const WEIGHTS: Readonly<Record<string, number>> = {
  "/orders": 22,
  "/payments": 8,
  "/strict": 6,
  "/stale": 8,
  "/rate": 16,
  "/quota": 5,
  "/places": 7,
  "/download": 3,
  [UPLOADED]: 3,
  "/fallback": 8,
  "/public": 3,
  "/nowhere": 2,
  [TOGGLED]: 6,
  [SOMETIMES]: 5,
};
const PATHS = Object.entries(WEIGHTS).flatMap(([path, weight]) => Array.from({ length: weight }, () => path));

/** All clients of a run. */
export class Clients implements AsyncDisposable {
  readonly #target: Target;
  readonly #random: Random;
  readonly #agent = new Agent({ connections: 64, pipelining: 1 });
  readonly #underWay = new Set<Promise<void>>();

  constructor(target: Target, random: Random) {
    this.#target = target;
    this.#random = random;
  }

  /** Sends any one request. */
  sendAny(): void {
    if (this.#underWay.size >= UNDER_WAY_MAX) return;
    const path = this.#random.pick(PATHS) ?? "/orders";
    const { gateways } = this.#target;
    this.#begin({ path, presented: this.#presentedFor(path) }, this.#random.between(0, gateways.length - 1));
  }

  /** Asks every gateway at once about a key that has just changed, with its newest secret and the one before. */
  probe(key: Key): void {
    const secrets = key.secrets.slice(-2);
    const path = this.#random.pick(["/orders", "/payments", "/strict", TOGGLED]) ?? "/orders";
    for (const at of this.#target.gateways.keys())
      for (const secret of secrets) this.#begin({ path, presented: { kind: "key", key, secret } }, at);
  }

  /** Waits until every request has been answered and judged. */
  async finish(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  #begin(sent: Sent, at: number): void {
    const exchange = this.#exchange(sent, at).finally(() => this.#underWay.delete(exchange));
    this.#underWay.add(exchange);
  }

  async #exchange(sent: Sent, at: number): Promise<void> {
    const { judge, judged, world, limits, upstream, gateways } = this.#target;
    const id = randomUUID();
    const fromMs = Date.now();
    const limit = sent.presented.kind === "key" ? limitOf(sent.path) : undefined;
    const admitted = limit && sent.presented.kind === "key" ? limits.ask(limit, sent.presented.key.id, fromMs) : undefined;
    try {
      const { response, read } = await this.#fetch(sent, id, new URL(sent.path, gateways[at]), await textOf(sent.presented, world));
      const headAtMs = Date.now();
      const code = refusalCodeOf(response);
      const body = await read();
      const answer: Answer = {
        id,
        // What was decided was decided before the head came.
        interval: { fromMs, toMs: body === "broken" ? Date.now() : headAtMs },
        status: response.status,
        code,
        keyId: response.headers.get("x-soak-key") ?? undefined,
        body,
      };
      // Where the upstream has not noted the end yet it is not known for how long it was under way.
      const endedAtMs = upstream.endedAtMs(id);
      if (limit === "concurrency" && code === undefined && Number.isFinite(endedAtMs)) admitted?.({ fromMs: headAtMs, toMs: endedAtMs });
      if (limit !== "concurrency" && wasPassedOn(code)) admitted?.({ fromMs, toMs: headAtMs });
      judged(sent, await settled(() => judge.judge(sent, answer)), at);
    } catch (error) {
      const cause = error instanceof Error ? (error.cause ?? error) : error;
      const interval = { fromMs, toMs: Date.now() };
      judged(sent, await settled(() => judge.judgeNone(sent, interval, String(cause))), at);
    }
  }

  async #fetch(sent: Sent, id: string, url: URL, headers: Record<string, string>) {
    const method = isPosted(sent.path) ? "POST" : "GET";
    const payload = method === "POST" ? randomBytes(sent.path === UPLOADED ? UPLOAD_BYTES : 200) : undefined;
    const bytes = sent.path === "/download" ? STREAM.bytes : sent.path === "/places" ? STREAM.ofPlaces : undefined;
    if (bytes !== undefined) url.search = `?bytes=${bytes}&pause=${sent.path === "/places" ? STREAM.pauseMs : 0}`;
    const response = await fetch(url, {
      method,
      headers: { ...headers, "X-Soak-Request": id },
      redirect: "manual",
      dispatcher: this.#agent,
      ...(payload && { body: sent.path === UPLOADED ? piecesOf(payload) : payload, duplex: "half" as const }),
    });
    return { response, read: () => bodyOf(response, sent.path, payload, bytes) };
  }

  #presentedFor(path: string): Presented {
    const { world } = this.#target;
    const chance = this.#random.next();
    if (path === "/public" || chance < 0.03) return { kind: "none" };
    if (chance < 0.05) return { kind: "malformed" };
    if (chance < 0.06) return { kind: "mistyped" };
    if (chance < 0.08) return { kind: "forged" };
    if (chance < 0.09) return { kind: "two" };
    const keys = chance < 0.2 && world.dead.length > 0 ? world.dead : limitOf(path) ? world.live.slice(0, HOT_KEYS) : world.live;
    const key = this.#random.pick(keys);
    const secret = key && (this.#random.chance(0.9) ? key.secrets.at(-1) : this.#random.pick(key.secrets));
    return key && secret ? { kind: "key", key, secret } : { kind: "none" };
  }
}

/** What nothing explains is judged once more: that the machine stood still is noticed a moment later. */
async function settled(judge: () => Verdict): Promise<Verdict> {
  const verdict = judge();
  if (verdict.kind !== "unexplained") return verdict;
  await sleep(NOTICED_AFTER_MS);
  return judge();
}

function limitOf(path: string) {
  return STEADY_ROUTES[path]?.limit;
}

async function textOf(presented: Presented, { live }: World): Promise<Record<string, string>> {
  const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
  const some = live[0]?.secrets[0]?.value ?? forged();
  switch (presented.kind) {
    case "key":
      return bearer(presented.secret.value);
    case "none":
      return {};
    case "malformed":
      return bearer("sk_live_51H8zQ2eZvKYlo2C0aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789");
    case "mistyped":
      return bearer(some.slice(0, -1) + (some.endsWith("a") ? "b" : "a"));
    case "forged":
      return bearer(forged());
    case "two":
      return { ...bearer(some), "X-API-Key": some };
  }
}

/** Right in form and checksum, tagged under a key that is not the installation's. */
function forged(): string {
  const tagKeys = { current: "A", byId: new Map([["A", randomBytes(32)]]) };
  const ports = { randomBytes: (target: Uint8Array) => crypto.getRandomValues(target as Uint8Array<ArrayBuffer>), hmacSha256 };
  return generateToken({ prefix: "pc", environment: "live", cell: 0 }, tagKeys, ports).token;
}

/** Of an answer that is the gateway's own (RFC 9209); undefined for the API's. */
function refusalCodeOf({ headers }: Response): string | undefined {
  return /^portcullis;.*details="([^"]+)"/.exec(headers.get("proxy-status") ?? "")?.[1];
}

async function bodyOf(response: Response, path: string, payload: Buffer | undefined, bytes: number | undefined): Promise<Answer["body"]> {
  let got: Buffer;
  try {
    got = Buffer.from(await response.arrayBuffer());
  } catch {
    return "broken";
  }
  if (refusalCodeOf(response) !== undefined || response.status !== 200) return "whole";
  if (bytes !== undefined) return got.equals(streamOf(bytes)) ? "whole" : "other";
  const said = payload ?? Buffer.alloc(0);
  const expected = { path, bytes: said.length, sha256: createHash("sha256").update(said).digest("hex") };
  return got.toString() === JSON.stringify(expected) ? "whole" : "other";
}

function streamOf(bytes: number): Buffer {
  const pieces: Buffer[] = [];
  for (let left = bytes; left > 0; left -= 8_192) pieces.push(streamPiece(Math.min(8_192, left)));
  return Buffer.concat(pieces);
}

async function* piecesOf(payload: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < payload.length; at += 16_384) yield payload.subarray(at, at + 16_384);
}
