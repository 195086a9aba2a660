/** The gateway's settings. */
import { z } from "zod";
import { parseConfiguration, sharedFields, tagKeysOf } from "../core/configuration.ts";
import type { Environment, TagKeys } from "../core/token.ts";

/** Validated settings of the gateway. */
export interface GatewayConfiguration {
  readonly tokenPrefix: string;
  readonly cells: number;
  readonly acceptedEnvironments: ReadonlySet<Environment>;
  readonly tagKeys: TagKeys;
  /** Whether answers carry a Server-Timing header. */
  readonly serverTiming: boolean;
}

const schema = z.object({ ...sharedFields, SERVER_TIMING: z.enum(["on", "off"], { error: "must be 'on' or 'off'" }).default("off") });

/** Reads the gateway's bindings; throws a ConfigurationError that names every wrong field. */
export function gatewayConfiguration(bindings: unknown): GatewayConfiguration {
  const parsed = parseConfiguration(schema, bindings);
  return {
    tokenPrefix: parsed.TOKEN_PREFIX,
    cells: parsed.CELLS,
    acceptedEnvironments: parsed.ACCEPTED_ENVIRONMENTS,
    tagKeys: tagKeysOf(parsed.TAG_KEYS, (text) => new Uint8Array(Buffer.from(text, "base64url"))),
    serverTiming: parsed.SERVER_TIMING === "on",
  };
}
