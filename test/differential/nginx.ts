/** nginx as people put it before an API, where it is installed: Debian's package `nginx-light` will do. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { freePort } from "../../local/free-ports.ts";

const PROGRAM = "nginx";

/** Whether there is one. */
export const isNginxInstalled = spawnSync(PROGRAM, ["-v"]).status === 0;

/** A running nginx in front of an origin. */
export interface Nginx extends AsyncDisposable {
  readonly port: number;
}

/** Starts one, streaming both ways, with nothing else set that would change a message. */
export async function startNginx(originPort: number): Promise<Nginx> {
  const folder = await mkdtemp(path.join(tmpdir(), "portcullis-nginx-"));
  const port = await freePort();
  const file = path.join(folder, "nginx.conf");
  await writeFile(file, configurationOf(folder, port, originPort));
  const child = spawn(PROGRAM, ["-p", folder, "-c", file, "-e", path.join(folder, "error.log")], { stdio: "ignore" });
  const ended = once(child, "exit");
  await Promise.race([listening(port), ended.then(() => Promise.reject(new Error("nginx did not start")))]);
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}

function configurationOf(folder: string, port: number, originPort: number): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`).join(" ");
  return `daemon off; master_process off; pid ${folder}/pid;
events {}
http {
  access_log off; ${temporary}
  server {
    listen 127.0.0.1:${port};
    large_client_header_buffers 8 32k;
    location / {
      proxy_pass http://127.0.0.1:${originPort};
      proxy_http_version 1.1;
      proxy_buffering off; proxy_request_buffering off; proxy_buffer_size 32k; proxy_buffers 8 32k;
    }
  }
}`;
}

async function listening(port: number): Promise<void> {
  for (;;) {
    const socket = net.connect(port, "127.0.0.1");
    const isThere = await Promise.race([once(socket, "connect").then(() => true), once(socket, "error").then(() => false)]).catch(
      () => false,
    );
    socket.destroy();
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
