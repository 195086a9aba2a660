/** From the claims of a token to platform permissions. */
import { canonical } from "../../core/permission.ts";
import type { IdentityProviderConfiguration } from "./settings.ts";

/** What the roles in the claims allow: all of them together; unknown roles allow nothing. */
export function permissionsOf(
  claims: Readonly<Record<string, unknown>>,
  { roleClaim, permissionsByRole }: Pick<IdentityProviderConfiguration, "roleClaim" | "permissionsByRole">,
): string[] {
  const value = claimAt(claims, roleClaim);
  const roles = Array.isArray(value) ? value : [value];
  return canonical(roles.flatMap((role) => (typeof role === "string" ? (permissionsByRole.get(role) ?? []) : [])));
}

/** A claim by its name or, beginning with `/`, by a JSON Pointer (RFC 6901); undefined where there is none. */
function claimAt(claims: Readonly<Record<string, unknown>>, place: string): unknown {
  const names = place.startsWith("/") ? place.slice(1).split("/").map(unescaped) : [place];
  let value: unknown = claims;
  for (const name of names) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function unescaped(name: string): string {
  return name.replaceAll("~1", "/").replaceAll("~0", "~");
}
