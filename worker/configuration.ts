/** The gateway's settings. */
import { z } from "zod";
import { ConfigurationError, parseConfiguration, sharedFields, tagKeysOf } from "../core/configuration.ts";
import { REGIONS, type Region } from "../core/protocol/region.ts";
import type { Environment, TagKeys } from "../core/token.ts";
import { upstreamServicesSetting } from "../core/upstream.ts";
import { assertionKeysSetting } from "./assertion-keys.ts";
import type { IdentitySettings } from "./upstream-identity.ts";

/** Validated settings of the gateway. */
export interface GatewayConfiguration {
  readonly tokenPrefix: string;
  readonly cells: number;
  readonly acceptedEnvironments: ReadonlySet<Environment>;
  readonly tagKeys: TagKeys;
  /** Whether answers carry a Server-Timing header. */
  readonly serverTiming: boolean;
  /** Whether answers carry a Portcullis-Decision header. */
  readonly decisionHeader: boolean;
  /** Whose replicas are asked; `auto`: those nearest to where the request came in. */
  readonly region: Region | "auto";
  readonly replicasPerRegion: number;
  /** How keys that were issued elsewhere begin; none: there are no such keys. */
  readonly foreignKeyPrefixes: readonly string[];
  readonly identity: IdentitySettings;
  /** How usage gets to the control plane. */
  readonly usageDelivery: UsageDelivery;
  /** The gateway's own name in `Via`. */
  readonly viaName: string;
  /** Service bindings that routes may lead to. */
  readonly upstreamServices: ReadonlySet<string>;
  /** Who shows it is told what the gateway's health is made up of; null: nobody is. */
  readonly healthSecret: string | null;
}

/** `direct`: to the control plane itself; `queue`: through a queue between them; `off`: nothing is counted. */
export type UsageDelivery = "direct" | "queue" | "off";

const onOrOff = z.enum(["on", "off"], { error: "must be 'on' or 'off'" }).default("off");
const foreignKeyPrefix = z
  .string()
  .regex(/^[A-Za-z0-9_.~+/-]{3,32}$/, "must be prefixes of 3 to 32 letters, digits and _ . ~ + / -, separated by ','");
/** RFC 9110 section 7.6.3: a pseudonym is a token; in lower case, so that it can be compared. */
const viaName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, "must be 1 to 64 lower-case letters, digits and . _ -");
/** Bindings that are no customer's API: whoever may write routes must not reach them. */
const OWN_BINDINGS = new Set(["KEYS", "LEDGER_READER", "LIMITER_ACCESS", "METRICS", "USAGE_COLLECTOR", "USAGE_QUEUE"]);
const schema = z.object({
  ...sharedFields,
  FOREIGN_KEY_PREFIXES: z
    .string()
    .default("")
    .transform((text) => text.split(",").filter((prefix) => prefix !== ""))
    .pipe(z.array(foreignKeyPrefix).max(16, "must be 16 at most")),
  SERVER_TIMING: onOrOff,
  DECISION_HEADER: onOrOff,
  REGION: z.enum(["auto", "local", ...REGIONS], { error: `must be 'auto', 'local' or one of ${REGIONS.join(", ")}` }).default("auto"),
  ASSERTION_KEYS: assertionKeysSetting,
  UPSTREAM_IDENTITY: z.enum(["assertion", "headers", "both"], { error: "must be 'assertion', 'headers' or 'both'" }).default("assertion"),
  REPLICAS_PER_REGION: z.coerce.number({ error: "must be a number" }).int().min(1, "must be 1 to 9").max(9, "must be 1 to 9").default(1),
  USAGE_DELIVERY: z.enum(["direct", "queue", "off"], { error: "must be 'direct', 'queue' or 'off'" }).default("direct"),
  HEALTH_SECRET: z.string().min(32, "must have at least 32 characters").nullable().default(null),
  VIA_NAME: viaName.default("portcullis"),
  UPSTREAM_SERVICES: upstreamServicesSetting
    .default([])
    .refine((names) => !names.some((name) => OWN_BINDINGS.has(name)), "must not name a binding of the gateway itself"),
});

/** Reads the gateway's bindings; throws a ConfigurationError that names every wrong field. */
export function gatewayConfiguration(bindings: unknown): GatewayConfiguration {
  const parsed = parseConfiguration(schema, bindings);
  return {
    tokenPrefix: parsed.TOKEN_PREFIX,
    cells: parsed.CELLS,
    acceptedEnvironments: parsed.ACCEPTED_ENVIRONMENTS,
    tagKeys: tagKeysOf(parsed.TAG_KEYS, (text) => new Uint8Array(Buffer.from(text, "base64url"))),
    serverTiming: parsed.SERVER_TIMING === "on",
    decisionHeader: parsed.DECISION_HEADER === "on",
    region: parsed.REGION,
    replicasPerRegion: parsed.REPLICAS_PER_REGION,
    foreignKeyPrefixes: parsed.FOREIGN_KEY_PREFIXES,
    identity: {
      plainHeaders: parsed.UPSTREAM_IDENTITY !== "assertion",
      assertionKeys: parsed.UPSTREAM_IDENTITY === "headers" ? null : parsed.ASSERTION_KEYS,
    },
    usageDelivery: parsed.USAGE_DELIVERY,
    viaName: parsed.VIA_NAME,
    upstreamServices: new Set(parsed.UPSTREAM_SERVICES),
    healthSecret: parsed.HEALTH_SECRET,
  };
}

/** Throws a ConfigurationError where what the settings lead to is not bound. */
export function requireBindings({ usageDelivery, upstreamServices }: GatewayConfiguration, bindings: unknown): void {
  const bound = (name: string): unknown => Reflect.get(Object(bindings), name);
  for (const name of upstreamServices)
    if (typeof Reflect.get(Object(bound(name)), "fetch") !== "function")
      throw new ConfigurationError(`Wrong configuration. UPSTREAM_SERVICES: '${name}' is not bound to a service`);
  if (usageDelivery === "off") return;
  const [name, what] = USAGE_BINDINGS[usageDelivery];
  if (bound(name) === undefined)
    throw new ConfigurationError(`Wrong configuration. USAGE_DELIVERY: '${usageDelivery}' needs ${what} bound as ${name}`);
}

const USAGE_BINDINGS = {
  direct: ["USAGE_COLLECTOR", "the control plane's entrypoint UsageCollector"],
  queue: ["USAGE_QUEUE", "a queue"],
} as const;
