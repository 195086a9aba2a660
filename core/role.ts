/** Names of roles. */
import { z } from "zod";

/** A role's slug. */
export const roleSlug = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,47}$/, "lower-case letters, digits, '.', '_', '-'; at most 48");
