/** Who is calling. */

interface KeyHolder {
  /** `api_key_…` */
  readonly keyId: string;
  /** `org_…`: the organization that owns the key, or in which its user acts. */
  readonly organizationId: string;
  readonly environment: "live" | "test";
  /** What the key may do at this moment, wildcards included; ask with `requirePermission`, which knows what a wildcard covers. */
  readonly permissions: readonly string[];
  /** Name of the route by which the gateway let the request pass; null where no gateway is in front. */
  readonly route: string | null;
}

/** A person, by a key of theirs. */
export interface UserPrincipal extends KeyHolder {
  readonly type: "user";
  /** `user_…` */
  readonly userId: string;
}

/** An organization, by a key of its own. */
export interface OrganizationPrincipal extends KeyHolder {
  readonly type: "organization";
}

/** Whom a request is from. Look at `type` first. */
export type Principal = UserPrincipal | OrganizationPrincipal;

/** Reads the claims of an assertion; undefined when they are not those of one. */
export function principalOfClaims(claims: Readonly<Record<string, unknown>>): Principal | undefined {
  const { sub, organization_id: organization, route } = claims;
  if (typeof sub !== "string" || typeof route !== "string") return undefined;
  const holder = holderOf({ ...claims, id: claims["key_id"] }, organization, route);
  return holder && (sub === organization ? { type: "organization", ...holder } : { type: "user", ...holder, userId: sub });
}

/** Reads an API key as the control plane shows it; undefined for anything else. */
export function principalOfKey(key: unknown): Principal | undefined {
  if (!isObject(key) || !isObject(key["owner"])) return undefined;
  const { type, id, organization_id: organization } = key["owner"];
  if (type === "organization") {
    const holder = holderOf(key, id, null);
    return holder && { type, ...holder };
  }
  const holder = holderOf(key, organization, null);
  return type === "user" && typeof id === "string" ? holder && { type, ...holder, userId: id } : undefined;
}

function holderOf(key: Readonly<Record<string, unknown>>, organization: unknown, route: string | null): KeyHolder | undefined {
  const { id, environment, permissions } = key;
  if (typeof id !== "string" || typeof organization !== "string" || !isListOfText(permissions)) return undefined;
  if (environment !== "live" && environment !== "test") return undefined;
  return { keyId: id, organizationId: organization, environment, permissions, route };
}

function isListOfText(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

/** Whether it is an object with members. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
