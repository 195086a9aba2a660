/** Settings of admins' sign-in with the operator's identity provider (OpenID Connect). All absent: nobody signs in, only keys call. */
import { z } from "zod";
import { covers, PLATFORM_PERMISSION_PREFIX, PLATFORM_PERMISSIONS } from "../../core/permission.ts";
import { permissionSlug } from "../../core/permission-slug.ts";

/** Whom to believe, and what about. */
export interface IdentityProviderConfiguration {
  /** Exactly as in the `iss` of its tokens. */
  readonly issuer: string;
  readonly audience: string;
  readonly jwksUrl: string;
  readonly algorithms: readonly SignatureAlgorithm[];
  readonly clockToleranceSeconds: number;
  /** Name of the claim that holds the roles, or a JSON Pointer (RFC 6901) to it. */
  readonly roleClaim: string;
  /** Platform permissions by value of that claim. */
  readonly permissionsByRole: ReadonlyMap<string, readonly string[]>;
}

/** Signatures that only the holder of a private key can make. Nothing symmetric: what verifies would also sign. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"] as const;
type SignatureAlgorithm = (typeof ALGORITHMS)[number];

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** Whether a URL is https, or on this machine. */
export function isSafeUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && (url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.has(url.hostname)));
}

const safeUrl = z.string().refine(isSafeUrl, "must be an https URL (http only on this machine)");
const platformPermission = permissionSlug.refine(
  (slug) => slug.startsWith(PLATFORM_PERMISSION_PREFIX) && PLATFORM_PERMISSIONS.some((permission) => covers(slug, permission)),
  "must be platform permissions, like 'portcullis:api_keys:read' or 'portcullis:*'",
);

/** The settings one by one. */
export const signInFields = {
  OIDC_ISSUER: safeUrl.refine((text) => !/[?#]/.test(text), "must have neither query nor fragment").optional(),
  OIDC_AUDIENCE: z.string().min(1, "must not be empty").max(255, "at most 255 characters").optional(),
  OIDC_JWKS_URL: safeUrl.optional(),
  OIDC_ALGORITHMS: z
    .string()
    .default("RS256,ES256")
    .transform((text) => text.split(","))
    .pipe(z.array(z.enum(ALGORITHMS, { error: `must be of ${ALGORITHMS.join(", ")}, separated by ','` }))),
  OIDC_CLOCK_TOLERANCE_SECONDS: z
    .string()
    .regex(/^\d{1,3}$/, "must be 0 to 300")
    .default("30")
    .transform(Number)
    .pipe(z.number().max(300, "must be 0 to 300")),
  OIDC_ROLE_CLAIM: z.string().min(1, "must not be empty").max(255, "at most 255 characters").optional(),
  OIDC_ROLES: z
    .string()
    .transform(parseJsonObject)
    .pipe(z.array(z.tuple([z.string().min(1, "must not name an empty value"), z.array(platformPermission).min(1, "must grant something")])))
    .transform((entries): ReadonlyMap<string, readonly string[]> => new Map(entries))
    .optional(),
} as const;

/** What belongs together: any of these brings the others along. */
const ALL_OR_NONE = ["OIDC_ISSUER", "OIDC_AUDIENCE", "OIDC_JWKS_URL", "OIDC_ROLE_CLAIM", "OIDC_ROLES"] as const;

type SignInSettings = z.output<z.ZodObject<typeof signInFields>>;

/** The settings that are missing beside those that are there. */
export function missingForSignIn(settings: SignInSettings): readonly string[] {
  const missing = ALL_OR_NONE.filter((name) => settings[name] === undefined);
  return missing.length === ALL_OR_NONE.length ? [] : missing;
}

/** The settings together; null when nobody is to sign in. */
export function identityProviderOf(settings: SignInSettings): IdentityProviderConfiguration | null {
  const { OIDC_ISSUER, OIDC_AUDIENCE, OIDC_JWKS_URL, OIDC_ROLE_CLAIM, OIDC_ROLES } = settings;
  if (!OIDC_ISSUER || !OIDC_AUDIENCE || !OIDC_JWKS_URL || !OIDC_ROLE_CLAIM || !OIDC_ROLES) return null;
  return {
    issuer: OIDC_ISSUER,
    audience: OIDC_AUDIENCE,
    jwksUrl: OIDC_JWKS_URL,
    algorithms: settings.OIDC_ALGORITHMS,
    clockToleranceSeconds: settings.OIDC_CLOCK_TOLERANCE_SECONDS,
    roleClaim: OIDC_ROLE_CLAIM,
    permissionsByRole: OIDC_ROLES,
  };
}

function parseJsonObject(text: string, context: z.RefinementCtx): [string, unknown][] {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return Object.entries(value);
  } catch {
    // Said below.
  }
  context.addIssue({ code: "custom", message: 'must be a JSON object, like {"admins": ["portcullis:*"]}' });
  return z.NEVER;
}
