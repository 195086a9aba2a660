/** What a caller must hold. Permissions and wildcards mean what they mean at the gateway: it is the same code. */
import { coversAny, notCovered, PERMISSION_FORM, PERMISSION_LENGTH_MAX } from "../core/permission.ts";
import { ConfigurationError } from "./configuration.ts";
import type { Principal } from "./principal.ts";
import { refusalFor } from "./reason.ts";
import type { Refusal } from "./refusal.ts";

/** One permission or more. */
export type Permissions = readonly [string, ...string[]];

/** Permissions of which all are demanded, or any one. */
export interface Demand {
  readonly permissions: readonly string[];
  readonly required: "all" | "any";
}

/** The demand; throws {@link ConfigurationError} for what can be no permission. */
export function demandOf(permissions: Permissions, required: Demand["required"]): Demand {
  const wrong = permissions.find((permission) => permission.length > PERMISSION_LENGTH_MAX || !PERMISSION_FORM.test(permission));
  if (wrong !== undefined) throw new ConfigurationError(`'${wrong}' is not a permission`);
  if (permissions.length === 0) throw new ConfigurationError("name at least one permission");
  return { permissions, required };
}

/** The refusal of a principal who does not meet the demand. */
export function refusalBy({ permissions, required }: Demand, { permissions: held }: Principal): Refusal | undefined {
  if (required === "any") return permissions.some((permission) => coversAny(held, permission)) ? undefined : lacking(permissions, required);
  const missing = notCovered(permissions, held);
  return missing.length > 0 ? lacking(missing, required) : undefined;
}

function lacking(permissions: readonly string[], required: Demand["required"]): Refusal {
  return refusalFor("insufficient_scope", { missing: { permissions, required } });
}
