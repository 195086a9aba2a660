/** A webhook receiver on this machine: a real HTTP server that answers as it is told. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A delivery as it arrived. */
export interface Arrived {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What the server does with the next delivery. */
export type Behaviour = (response: ServerResponse) => void;

/** Takes it. */
export const accept: Behaviour = (response) => void response.writeHead(200).end();

/** A running receiver. */
export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly arrived: readonly Arrived[];
  /** Behaviours for the next deliveries, in turn; afterwards all are accepted. */
  next(...behaviours: readonly Behaviour[]): void;
}

/** Starts one on a free port. */
export async function startReceiver(): Promise<Receiver> {
  const arrived: Arrived[] = [];
  const behaviours: Behaviour[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      arrived.push({ method, url, headers, body: Buffer.concat(chunks).toString("utf8") });
      (behaviours.shift() ?? accept)(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    arrived,
    next: (...next) => void behaviours.push(...next),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
