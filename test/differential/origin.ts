/** An API that notes exactly what reached it and answers byte for byte what it is told to. */
import { once } from "node:events";
import http, { type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** A request as it reached the origin. */
export interface Reached {
  readonly method: string;
  readonly target: string;
  /** By lower-case name; those that came several times in their order. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  /** One character for each byte. */
  readonly body: string;
  readonly trailers: readonly string[];
}

/** Header by which the origin knows what to answer; nobody on the way has a reason to touch it. */
export const CASE_HEADER = "x-case";

/** Up to the end of the head of the final answer; what may come before it are interim ones. */
const FINAL_HEAD = /^((?:HTTP\/1\.1 1\d\d[^]*?\r\n\r\n)*[^]*?)\r\n\r\n/;

/** The origin. It closes each connection behind its answer, and says so unless the answer does. */
export class Origin implements AsyncDisposable {
  readonly port: number;
  readonly #server: http.Server;
  readonly #answers: readonly (string | undefined)[];
  #reached: Reached[] = [];

  private constructor(server: http.Server, answers: readonly (string | undefined)[]) {
    this.#server = server;
    this.#answers = answers;
    this.port = (server.address() as AddressInfo).port;
    server.on("request", (request: IncomingMessage) => void this.#serve(request));
    // Without this Node answers 100 by itself, and 417 to what it does not know.
    server.on("checkContinue", (request: IncomingMessage) => void this.#serve(request));
    server.on("checkExpectation", (request: IncomingMessage) => void this.#serve(request));
  }

  /** Starts one with the bytes it answers, by number of the case. */
  static async start(answers: readonly (string | undefined)[]): Promise<Origin> {
    const server = http.createServer({ keepAlive: false, maxHeaderSize: 64 * 1_024, requestTimeout: 0 }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Origin(server, answers);
  }

  /** What has reached it since it was asked last, oldest first. */
  take(): Reached[] {
    return this.#reached.splice(0);
  }

  async #serve(request: IncomingMessage): Promise<void> {
    const { socket, method = "", url = "", headersDistinct } = request;
    socket.on("error", () => {});
    const body = await buffer(request).catch(() => Buffer.from("(broken off)"));
    const fields = new Map(Object.entries(headersDistinct).map(([name, values]) => [name, values ?? []]));
    this.#reached.push({ method, target: url, fields, body: body.toString("latin1"), trailers: request.rawTrailers });
    const answer = this.#answers[Number(fields.get(CASE_HEADER)?.[0])] ?? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const text = answer.includes("\r\nConnection:") ? answer : answer.replace(FINAL_HEAD, "$1\r\nConnection: close\r\n\r\n");
    socket.end(Buffer.from(text, "latin1"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
