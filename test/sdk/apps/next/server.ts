/** Runs the Next.js app on a free port, and prints its origin. */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { createRequire } from "node:module";

const server = http.createServer().listen(0, "127.0.0.1", () => void run());

async function run(): Promise<void> {
  const { port } = server.address() as AddressInfo;
  const origin = `http://127.0.0.1:${port}`;
  process.env["ORIGIN"] = origin;
  const next = createRequire(import.meta.url)("next") as typeof import("next").default;
  const app = next({ dev: true, dir: import.meta.dirname, hostname: "127.0.0.1", port });
  await app.prepare();
  const handle = app.getRequestHandler();
  server.on("request", (request, response) => {
    request.headers["x-forwarded-for"] = request.socket.remoteAddress;
    void handle(request, response);
  });
  console.log(`listening ${origin}`);
}
