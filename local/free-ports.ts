/** Whether ports can be used, before anything is started. */
import { randomInt } from "node:crypto";
import net from "node:net";
import { OptionError, PORT_OPTIONS, type Ports } from "./options.ts";

/** Throws an {@link OptionError} that names every port that cannot be used. */
export async function requireFreePorts(ports: Ports): Promise<void> {
  const faults: string[] = [];
  for (const [name, port] of Object.entries(ports)) {
    const fault = await faultOf(port);
    if (fault !== undefined) faults.push(`Port ${port} ${fault}: choose another one with ${PORT_OPTIONS[name as keyof Ports]}.`);
  }
  if (faults.length > 0) throw new OptionError(faults.join(" "));
}

/** Below those that systems give out by themselves, so that nothing takes one between its choice and its use. */
const CHOSEN_FROM = 20_000;
const CHOSEN_TO = 32_000;

/** A port that can be used, for what must know its own before it starts. */
export async function freePort(): Promise<number> {
  const port = randomInt(CHOSEN_FROM, CHOSEN_TO);
  return (await faultOf(port)) === undefined ? port : freePort();
}

/** Why a port cannot be used, or undefined. */
async function faultOf(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = net.createServer();
    probe.once("error", ({ code }: NodeJS.ErrnoException) => {
      resolve(code === "EADDRINUSE" ? "is taken by another program" : "cannot be used");
    });
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(undefined)));
  });
}
