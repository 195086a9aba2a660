/** Permission slugs as they come in from outside. */
import { z } from "zod";
import { PERMISSION_FORM, PERMISSION_LENGTH_MAX } from "./permission.ts";

/** A permission slug: 1 to 48 lower-case letters, digits, `-`, `_`, `.`, `:`; or ending in a wildcard segment `*`. */
export const permissionSlug = z
  .string()
  .max(PERMISSION_LENGTH_MAX, `at most ${PERMISSION_LENGTH_MAX} characters`)
  .regex(PERMISSION_FORM, "lower-case letters, digits, '-', '_', '.', ':'; '*' only as the last segment");
