/** From the claims of a token to an admin's roles, and from those to platform permissions. */
import { canonical } from "../../core/permission.ts";
import type { IdentityProviderConfiguration } from "./settings.ts";

/** How roles are found and what they allow. */
type RoleSettings = Pick<IdentityProviderConfiguration, "roleClaim" | "permissionsByRole">;

/** The roles in the claims that the settings know, each once. Others count for nothing. */
export function rolesOf(claims: Readonly<Record<string, unknown>>, { roleClaim, permissionsByRole }: RoleSettings): string[] {
  const value = claimAt(claims, roleClaim);
  const roles: readonly unknown[] = Array.isArray(value) ? value : [value];
  return [...new Set(roles.filter((role): role is string => typeof role === "string" && permissionsByRole.has(role)))];
}

/** What the roles in the claims allow: all of them together. */
export function permissionsOf(claims: Readonly<Record<string, unknown>>, settings: RoleSettings): string[] {
  return canonical(rolesOf(claims, settings).flatMap((role) => settings.permissionsByRole.get(role) ?? []));
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
