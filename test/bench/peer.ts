/** The peer's process, seen from the benchmark. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import type { PeerStarted } from "./peer-server.ts";

/** A running peer. */
export interface Peer extends Disposable {
  readonly bareUrl: string;
  readonly url: string;
  readonly key: string;
}

/** Starts it. */
export async function startPeer(): Promise<Peer> {
  const child: ChildProcess = fork(path.join(import.meta.dirname, "peer-server.ts"));
  const [{ port, key }] = (await once(child, "message")) as [PeerStarted];
  const base = `http://127.0.0.1:${port}`;
  return { bareUrl: `${base}/bare`, url: `${base}/orders`, key, [Symbol.dispose]: () => void child.kill() };
}
