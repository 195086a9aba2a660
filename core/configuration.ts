/** What both Workers are told at start. A wrong value stops the start with an error that names the field. */
import { z } from "zod";
import { TOKEN_PREFIX_PATTERN, type Environment, type TagKeys } from "./token.ts";

/** Thrown at start for a missing or wrong setting. The message names the field and never repeats a value. */
export class ConfigurationError extends Error {
  readonly code = "invalid_configuration";
  override readonly name = "ConfigurationError";
}

/** 32 bytes or more, base64url. Takes the decoder as a port: `core` has none. */
const TAG_KEY = /^([0-9A-Za-z]):([A-Za-z0-9_-]{43,})$/;

/** Fields common to the gateway and the control plane. */
export const sharedFields = {
  TOKEN_PREFIX: z
    .string({ error: "is required" })
    .regex(TOKEN_PREFIX_PATTERN, "must be 2 to 12 lower-case letters or digits, a letter first"),
  CELLS: z.coerce.number({ error: "must be a number" }).int("must be a whole number").min(1, "must be 1 to 32").max(32, "must be 1 to 32"),
  ACCEPTED_ENVIRONMENTS: z
    .string({ error: "is required" })
    .transform((text) => text.split(","))
    .pipe(z.array(z.enum(["live", "test"], { error: "must be 'live', 'test' or 'live,test'" })).min(1))
    .transform((list): ReadonlySet<Environment> => new Set(list)),
  TAG_KEYS: z
    .string({ error: "is required (a secret: '<kid>:<base64url of 32 bytes>', several separated by ',', the first one signs)" })
    .refine(
      (text) => text.split(",").every((part) => TAG_KEY.test(part)),
      "must be '<kid>:<base64url of at least 32 bytes>', several separated by ','; <kid> is one letter or digit",
    )
    .refine((text) => new Set(text.split(",").map((part) => part[0])).size === text.split(",").length, "must not name a key id twice"),
} as const;

/** Reads settings through a schema, or throws a {@link ConfigurationError} that lists every field at fault. */
export function parseConfiguration<Schema extends z.ZodType>(schema: Schema, bindings: unknown): z.output<Schema> {
  const parsed = schema.safeParse(bindings);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `${issue.path[0]?.toString() ?? "configuration"}: ${issue.message}`);
  throw new ConfigurationError(`Wrong configuration. ${faults.join("; ")}`);
}

/** Decodes a validated TAG_KEYS setting. */
export function tagKeysOf(setting: string, decodeBase64Url: (text: string) => Uint8Array): TagKeys {
  const byId = new Map(setting.split(",").map((part) => [part.charAt(0), decodeBase64Url(part.slice(2))]));
  return { current: setting.charAt(0), byId };
}
