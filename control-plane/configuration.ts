/** The control plane's settings. */
import { z } from "zod";
import { ConfigurationError, parseConfiguration, sharedFields, tagKeysOf } from "../core/configuration.ts";
import { tunablesOf, tunablesSchema, type Tunables } from "../core/protocol/tunables.ts";
import type { Environment, TagKeys } from "../core/token.ts";
import { upstreamServicesSetting } from "../core/upstream.ts";
import { identityProviderOf, isSafeUrl, missingForSignIn, signInFields, type IdentityProviderConfiguration } from "./sign-in/settings.ts";

/** Validated settings of the control plane. */
export interface ControlPlaneConfiguration {
  readonly tokenPrefix: string;
  readonly cells: number;
  readonly acceptedEnvironments: ReadonlySet<Environment>;
  /** Environment of a key whose creator names none. */
  readonly defaultEnvironment: Environment;
  readonly tagKeys: TagKeys;
  /** Seals tokens in remembered replies. */
  readonly replySealKey: Uint8Array;
  /** Admits the one call that makes the first key. */
  readonly bootstrapSecret: string;
  /** Requests of one caller in a minute, in one isolate. */
  readonly callerRequestsPerMinute: number;
  /** Tries of the bootstrap secret from one network address in a minute, in one isolate. */
  readonly bootstrapAttemptsPerMinute: number;
  readonly tunables: Tunables;
  /** For how long a replaced secret goes on working, in seconds: when the caller does not say, and at most. */
  readonly rotationOverlapS: { readonly default: number; readonly max: number };
  readonly webhooks: WebhookConfiguration;
  /** How long the audit log keeps what entries say; null: for ever. */
  readonly auditRetentionDays: number | null;
  /** Null: admins call with platform keys only. */
  readonly identityProvider: IdentityProviderConfiguration | null;
  readonly widgets: WidgetConfiguration;
  /** How many days usage is kept, by the hour. */
  readonly usageRetentionDays: number;
  /** Whether usage goes to the Analytics Engine as well. */
  readonly usageAnalytics: boolean;
  /** Service bindings that the gateway has for routes; null: this control plane has not been told. */
  readonly upstreamServices: ReadonlySet<string> | null;
}

/** Settings of the widgets that customers use in their browsers. */
export interface WidgetConfiguration {
  /** Signs widgets' tokens. */
  readonly tokenKey: Uint8Array;
  /** Origins of the pages that widgets may be on. */
  readonly origins: ReadonlySet<string>;
}

/** Where webhooks may be sent. */
export interface WebhookConfiguration {
  /** Also to this machine, and there over http: for development only. */
  readonly loopbackToo: boolean;
  /** A DNS over HTTPS server that is asked for a host's addresses before each delivery; null to rely on the platform alone. */
  readonly resolver: URL | null;
}

const perMinute = (usually: number) =>
  z.coerce.number({ error: "must be a number" }).int("must be a whole number").min(1, "must be at least 1").max(1e9).default(usually);
/** At least: what is told to other cells and to the outside is made from entries, and may have to be tried for days. */
const AUDIT_RETENTION_DAYS_MIN = 30;
const AUDIT_RETENTION_DAYS_MAX = 36_500;
const auditRetention = z
  .union(
    [z.literal("forever").transform(() => null), z.coerce.number().int().min(AUDIT_RETENTION_DAYS_MIN).max(AUDIT_RETENTION_DAYS_MAX)],
    { error: `must be 'forever' or a number of days, ${AUDIT_RETENTION_DAYS_MIN} to ${AUDIT_RETENTION_DAYS_MAX}` },
  )
  .default(null);

const ownFields = z.object({
  ...sharedFields,
  DEFAULT_ENVIRONMENT: z.enum(["live", "test"], { error: "must be 'live' or 'test'" }).default("live"),
  REPLY_SEAL_KEY: z
    .string({ error: "is required (a secret: base64url of 32 bytes)" })
    .regex(/^[A-Za-z0-9_-]{43,}$/, "must be base64url of at least 32 bytes"),
  WEBHOOK_LOOPBACK: z.enum(["on", "off"], { error: "must be 'on' or 'off'" }).default("off"),
  WEBHOOK_RESOLVER: z
    .union([z.literal("off"), z.url({ protocol: /^https$/ })], { error: "must be 'off' or an https URL" })
    .default("https://cloudflare-dns.com/dns-query"),
  // Sign-in of admins, and self-serve
  ...signInFields,
  WIDGET_TOKEN_KEY: z
    .string({ error: "is required (a secret: base64url of 32 bytes)" })
    .regex(/^[A-Za-z0-9_-]{43,}$/, "must be base64url of at least 32 bytes"),
  WIDGET_ORIGINS: z
    .string()
    .default("")
    .transform((text) => text.split(",").filter((origin) => origin !== ""))
    .pipe(z.array(z.string().refine(isOrigin, "must be origins like 'https://app.example.com', separated by ','")))
    .transform((list): ReadonlySet<string> => new Set(list)),
  BOOTSTRAP_SECRET: z.string({ error: "is required (a secret of at least 32 characters)" }).min(32, "must have at least 32 characters"),
  CALLER_REQUESTS_PER_MINUTE: perMinute(6_000),
  BOOTSTRAP_ATTEMPTS_PER_MINUTE: perMinute(10),
  AUDIT_RETENTION_DAYS: auditRetention,
  // Usage
  USAGE_RETENTION_DAYS: z.coerce
    .number({ error: "must be a number of days" })
    .int("must be whole days")
    .min(1, "must be 1 to 400")
    .max(400, "must be 1 to 400")
    .default(90),
  USAGE_ANALYTICS: z.enum(["on", "off"], { error: "must be 'on' or 'off'" }).default("off"),
  UPSTREAM_SERVICES: upstreamServicesSetting.optional(),
});
const YEAR_S = 366 * 24 * 60 * 60;
const seconds = z.coerce
  .number({ error: "must be a number of seconds" })
  .int("must be whole seconds")
  .min(0, "must be 0 or more")
  .max(YEAR_S, "must be a year at most");
const rotationFields = z
  .object({ ROTATION_OVERLAP_DEFAULT_S: seconds.default(24 * 60 * 60), ROTATION_OVERLAP_MAX_S: seconds.default(30 * 24 * 60 * 60) })
  .refine((fields) => fields.ROTATION_OVERLAP_DEFAULT_S <= fields.ROTATION_OVERLAP_MAX_S, {
    path: ["ROTATION_OVERLAP_DEFAULT_S"],
    error: "must not be above ROTATION_OVERLAP_MAX_S",
  });
const schema = z
  .intersection(z.intersection(ownFields, rotationFields), tunablesSchema)
  .refine((fields) => fields.ACCEPTED_ENVIRONMENTS.has(fields.DEFAULT_ENVIRONMENT), {
    path: ["DEFAULT_ENVIRONMENT"],
    error: "must be among ACCEPTED_ENVIRONMENTS",
  })
  .superRefine((fields, context) => {
    for (const name of missingForSignIn(fields))
      context.addIssue({ code: "custom", path: [name], message: "is required with the other OIDC_ settings" });
  });

/** Whether a text is one origin as browsers send it; there are no wildcards. */
function isOrigin(text: string): boolean {
  return isSafeUrl(text) && URL.parse(text)?.origin === text && !text.includes("*");
}

/** Bytes of a secret written in base64url. */
export function decodeBase64Url(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64url"));
}

/** Reads the control plane's bindings; throws a ConfigurationError that names every wrong field. */
export function controlPlaneConfiguration(bindings: unknown): ControlPlaneConfiguration {
  const parsed = parseConfiguration(schema, bindings);
  return {
    tokenPrefix: parsed.TOKEN_PREFIX,
    cells: parsed.CELLS,
    acceptedEnvironments: parsed.ACCEPTED_ENVIRONMENTS,
    defaultEnvironment: parsed.DEFAULT_ENVIRONMENT,
    tagKeys: tagKeysOf(parsed.TAG_KEYS, decodeBase64Url),
    replySealKey: decodeBase64Url(parsed.REPLY_SEAL_KEY),
    bootstrapSecret: parsed.BOOTSTRAP_SECRET,
    callerRequestsPerMinute: parsed.CALLER_REQUESTS_PER_MINUTE,
    bootstrapAttemptsPerMinute: parsed.BOOTSTRAP_ATTEMPTS_PER_MINUTE,
    tunables: tunablesOf(parsed),
    rotationOverlapS: { default: parsed.ROTATION_OVERLAP_DEFAULT_S, max: parsed.ROTATION_OVERLAP_MAX_S },
    webhooks: {
      loopbackToo: parsed.WEBHOOK_LOOPBACK === "on",
      resolver: parsed.WEBHOOK_RESOLVER === "off" ? null : new URL(parsed.WEBHOOK_RESOLVER),
    },
    auditRetentionDays: parsed.AUDIT_RETENTION_DAYS,
    identityProvider: identityProviderOf(parsed),
    widgets: { tokenKey: decodeBase64Url(parsed.WIDGET_TOKEN_KEY), origins: parsed.WIDGET_ORIGINS },
    usageRetentionDays: parsed.USAGE_RETENTION_DAYS,
    usageAnalytics: parsed.USAGE_ANALYTICS === "on",
    upstreamServices: parsed.UPSTREAM_SERVICES ? new Set(parsed.UPSTREAM_SERVICES) : null,
  };
}

/** Throws a ConfigurationError where what the settings lead to is not bound. */
export function requireBindings({ usageAnalytics }: ControlPlaneConfiguration, bindings: unknown): void {
  if (usageAnalytics && Reflect.get(Object(bindings), "USAGE_ANALYTICS_DATASET") === undefined)
    throw new ConfigurationError("Wrong configuration. USAGE_ANALYTICS: 'on' needs a dataset bound as USAGE_ANALYTICS_DATASET");
}
