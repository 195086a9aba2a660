/** Command-line options of `npm start`. */
import { optionsOrUsage } from "./command-line.ts";

/** Where the three Workers listen on 127.0.0.1; 0 picks a free port. */
export interface Ports {
  readonly gateway: number;
  readonly controlPlane: number;
  readonly exampleApi: number;
}

/** What was asked for. */
export interface StartOptions {
  readonly reset: boolean;
  readonly ports: Ports;
}

/** A wrong option, said in one sentence. */
export class OptionError extends Error {
  override readonly name = "OptionError";
}

/** The option that sets each port. */
export const PORT_OPTIONS: Readonly<Record<keyof Ports, string>> = {
  gateway: "--gateway-port",
  controlPlane: "--control-plane-port",
  exampleApi: "--api-port",
};

const USAGE = `npm start [-- options]

  --reset                 forget everything and begin anew
  --gateway-port N        where the gateway listens (default 8787)
  --control-plane-port N  where the control plane listens (default 8788)
  --api-port N            where the example API listens (default 8789)
  --help                  this text`;

/** The options of this process; throws an {@link OptionError} for ports that cannot be. */
export function startOptions(): StartOptions {
  const values = optionsOrUsage(USAGE, {
    reset: { type: "boolean" },
    "gateway-port": { type: "string" },
    "control-plane-port": { type: "string" },
    "api-port": { type: "string" },
  });
  const ports = {
    gateway: port(values["gateway-port"], 8787),
    controlPlane: port(values["control-plane-port"], 8788),
    exampleApi: port(values["api-port"], 8789),
  };
  if (new Set(Object.values(ports)).size < 3) throw new OptionError("The three ports must differ.");
  return { reset: values.reset === true, ports };
}

function port(text: string | undefined, usual: number): number {
  if (text === undefined) return usual;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < 1 || number > 65_535)
    throw new OptionError(`'${text}' is not a port: give a number from 1 to 65535.`);
  return number;
}
