/** The API behind the gateways: tells who called, as the gateway said, remembers what reached it, and fails when it is told to. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { FaultName } from "./faults.ts";

/** Longer than the routes let it take. */
const SLOW_MS = 6_500;
const PIECE_BYTES = 8_192;
/** Never closes a connection that is kept: a request that is just being sent on it would be lost, which is nobody's fault here. */
const KEPT_ALIVE_MS = 3_600_000;
/** Requests remembered. */
const SEEN_MAX = 50_000;

/** One upstream. */
export class Upstream implements AsyncDisposable {
  readonly #server: Server;
  readonly #seen = new Map<string, number>();
  #port = 0;
  #active: ReadonlySet<FaultName> = new Set();

  private constructor() {
    this.#server = createServer({ keepAliveTimeout: KEPT_ALIVE_MS }, (request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  /** One that listens on a free port of this machine. */
  static async start(): Promise<Upstream> {
    const upstream = new Upstream();
    await upstream.#listen();
    return upstream;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Whether a request of this id has come. */
  hasSeen(id: string): boolean {
    return this.#seen.has(id);
  }

  /** When the answer to a request had been sent, in ms since the epoch; infinite while it has not. */
  endedAtMs(id: string): number {
    return this.#seen.get(id) ?? Number.POSITIVE_INFINITY;
  }

  /** Which faults are to be on. */
  async suffer(active: ReadonlySet<FaultName>): Promise<void> {
    const [wasDown, isDown] = [this.#active.has("upstream_down"), active.has("upstream_down")];
    this.#active = active;
    if (isDown && !wasDown) await this.#close();
    if (wasDown && !isDown) await this.#listen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #listen(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async #close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const id = String(request.headers["x-soak-request"]);
    this.#note(id, Number.POSITIVE_INFINITY);
    response.on("finish", () => this.#note(id, Date.now()));
    response.on("close", () => this.#note(id, Math.min(this.endedAtMs(id), Date.now())));
    response.setHeader("X-Soak-Key", keyIdOf(request) ?? "none");
    if (this.#active.has("upstream_closes")) return void request.destroy();
    if (this.#active.has("upstream_slow")) await sleep(SLOW_MS);
    if (this.#active.has("upstream_fails")) return void response.writeHead(500).end("{}");
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://upstream");
    if (searchParams.has("bytes")) return this.#stream(response, Number(searchParams.get("bytes")), Number(searchParams.get("pause")));
    const received = await digestOf(request);
    const text = JSON.stringify({ path: pathname, ...received });
    if (!this.#active.has("upstream_cuts")) return void response.end(text);
    response.setHeader("Content-Length", text.length);
    response.write(text.slice(0, text.length / 2), () => response.destroy());
  }

  /** So many bytes, piece by piece, with a pause after each. */
  async #stream(response: ServerResponse, bytes: number, pauseMs: number): Promise<void> {
    for (let sent = 0; sent < bytes; sent += PIECE_BYTES) {
      if (sent > 0 && this.#active.has("upstream_cuts")) return void response.destroy();
      if (!response.write(streamPiece(Math.min(PIECE_BYTES, bytes - sent))))
        await Promise.race([once(response, "drain"), once(response, "close")]);
      if (response.destroyed) return;
      if (pauseMs > 0) await sleep(pauseMs);
    }
    response.end();
  }

  #note(id: string, endedAtMs: number): void {
    this.#seen.set(id, endedAtMs);
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > SEEN_MAX && oldest !== undefined) this.#seen.delete(oldest);
  }
}

/** What the streamed bytes are, so that whoever gets them can tell. */
export function streamPiece(bytes: number): Buffer {
  return Buffer.alloc(bytes, "portcullis ");
}

async function digestOf(request: IncomingMessage): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    hash.update(piece);
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** The key that the gateway's assertion names. Not verified: nobody but the gateway reaches this. */
function keyIdOf({ headers }: IncomingMessage): string | undefined {
  const [, payload] = String(headers["portcullis-assertion"] ?? "").split(".");
  if (payload === undefined) return undefined;
  return String((JSON.parse(Buffer.from(payload, "base64url").toString()) as { readonly key_id?: unknown }).key_id);
}
