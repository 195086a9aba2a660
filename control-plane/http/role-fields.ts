/** Fields of roles, of the installation and of organizations. */
import { z } from "zod";
import { permissionSlug } from "../../core/permission-slug.ts";
import { displayName } from "./fields.ts";

/** How the slugs of roles begin that an organization makes for itself, as in the WorkOS API; no other slug does. */
export const ORGANIZATION_ROLE_PREFIX = "org-";

const name = displayName.max(48, "at most 48 characters");
const description = z.string().max(150, "at most 150 characters");

/** What a new role is called. */
export const newRoleNames = { name, description: description.nullish().transform((text) => text ?? null) } as const;

/** What can be changed of a role besides its permissions; what is absent stays. */
export const roleChange = z.object({ name: name.optional(), description: description.nullable().optional() });

/** One permission, by its slug. */
export const permissionName = z.object({ slug: permissionSlug });
