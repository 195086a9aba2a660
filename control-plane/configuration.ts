/** The control plane's settings. */
import { z } from "zod";
import { parseConfiguration, sharedFields, tagKeysOf } from "../core/configuration.ts";
import { tunablesOf, tunablesSchema, type Tunables } from "../core/protocol/tunables.ts";
import type { Environment, TagKeys } from "../core/token.ts";
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
  /** Null: admins call with platform keys only. */
  readonly identityProvider: IdentityProviderConfiguration | null;
  readonly widgets: WidgetConfiguration;
}

/** Settings of the widgets that customers use in their browsers. */
export interface WidgetConfiguration {
  /** Signs widgets' tokens. */
  readonly tokenKey: Uint8Array;
  /** Origins of the pages that widgets may be on. */
  readonly origins: ReadonlySet<string>;
}

const perMinute = (usually: number) =>
  z.coerce.number({ error: "must be a number" }).int("must be a whole number").min(1, "must be at least 1").max(1e9).default(usually);

const ownFields = z.object({
  ...sharedFields,
  DEFAULT_ENVIRONMENT: z.enum(["live", "test"], { error: "must be 'live' or 'test'" }).default("live"),
  REPLY_SEAL_KEY: z
    .string({ error: "is required (a secret: base64url of 32 bytes)" })
    .regex(/^[A-Za-z0-9_-]{43,}$/, "must be base64url of at least 32 bytes"),
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
});
const schema = z
  .intersection(ownFields, tunablesSchema)
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
    identityProvider: identityProviderOf(parsed),
    widgets: { tokenKey: decodeBase64Url(parsed.WIDGET_TOKEN_KEY), origins: parsed.WIDGET_ORIGINS },
  };
}
