/** Command-line options of `npm start`. */
import { parseArgs } from "node:util";

/** Where the three Workers listen on 127.0.0.1; 0 picks a free port. */
export interface Ports {
  readonly gateway: number;
  readonly controlPlane: number;
  readonly exampleApi: number;
}

/** What was asked for. */
export interface StartOptions {
  readonly help: boolean;
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

/** What `--help` prints. */
export const HELP = `npm start [-- options]

  --reset                 forget everything and begin anew
  --gateway-port N        where the gateway listens (default 8787)
  --control-plane-port N  where the control plane listens (default 8788)
  --api-port N            where the example API listens (default 8789)
  --help                  this text`;

/** Reads the arguments; throws an {@link OptionError} for what it does not know. */
export function startOptions(args: readonly string[]): StartOptions {
  const { values } = parse(args);
  const ports = {
    gateway: port(values["gateway-port"], 8787),
    controlPlane: port(values["control-plane-port"], 8788),
    exampleApi: port(values["api-port"], 8789),
  };
  if (new Set(Object.values(ports)).size < 3) throw new OptionError("The three ports must differ.");
  return { help: values.help === true, reset: values.reset === true, ports };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: "boolean" },
        reset: { type: "boolean" },
        "gateway-port": { type: "string" },
        "control-plane-port": { type: "string" },
        "api-port": { type: "string" },
      },
    });
  } catch (error) {
    throw new OptionError(`${error instanceof Error ? error.message.split(". ")[0] : "Bad option"}. Try 'npm start -- --help'.`);
  }
}

function port(text: string | undefined, usual: number): number {
  if (text === undefined) return usual;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < 1 || number > 65_535)
    throw new OptionError(`'${text}' is not a port: give a number from 1 to 65535.`);
  return number;
}
