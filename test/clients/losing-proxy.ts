/** A proxy on loopback that loses an answer, as networks do: the server has done what was asked, and the client does not know. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** A request the server has answered, whether or not the answer came through. */
export interface Exchange {
  readonly headers: IncomingHttpHeaders;
  readonly status: number;
}

/** A running proxy; `exchanges` grows as requests come. */
interface LosingProxy extends AsyncDisposable {
  readonly url: URL;
  readonly exchanges: readonly Exchange[];
}

/** Belong to one connection and are made anew for the next. */
const HOP_HEADERS = new Set(["connection", "host", "content-length", "transfer-encoding", "expect"]);

/** Lets everything through, but cuts the connection instead of handing on the first answer. */
export async function losingFirstAnswer(target: URL): Promise<LosingProxy> {
  const exchanges: Exchange[] = [];
  const server = createServer((request, response) => {
    const pass = async () => {
      const sent = await buffer(request);
      const answer = await fetch(new URL(request.url ?? "/", target), {
        method: request.method ?? "GET",
        headers: Object.entries(request.headers).flatMap(([name, value]) =>
          typeof value === "string" && !HOP_HEADERS.has(name) ? [[name, value] as [string, string]] : [],
        ),
        ...(sent.length > 0 && { body: sent }),
      });
      // Read to its end, so that what was asked for has been done before the connection is cut.
      const body = Buffer.from(await answer.arrayBuffer());
      exchanges.push({ headers: request.headers, status: answer.status });
      if (exchanges.length === 1) request.socket.destroy();
      else response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(body);
    };
    pass().catch(() => request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    exchanges,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
