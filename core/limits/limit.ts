/**
 * What may be limited, as a route says it: how often (`rate`), how many requests in a day or month (`quota`), how much of what costs
 * differently (`budget`), how many at a time (`concurrency`); each per key, owner, organization or route.
 *
 * A limit's name is its identity: routes that name the same limit draw on the same meter, and must state it alike.
 */
import { z } from "zod";

const most = z.number().int().min(1).max(1_000_000_000);

const commonFields = {
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, "lower-case letters, digits, '.', '_', '-'; at most 64")
    .meta({ description: "Said to callers in RateLimit; the same name in several routes is one limit, stated alike in each." }),
  per: z.enum(["key", "owner", "organization", "route"]).meta({
    description:
      "Whose requests are added up. owner: the user or organization that the key belongs to; organization: those of its users' keys as well; route: everybody's.",
  }),
  scope: z.enum(["global", "region"]).optional().meta({
    description: "What the number holds for: everything there is, as usually, or each region for itself, whose limiter is nearer.",
  }),
  overrides: z
    .record(z.string().regex(/^[A-Za-z0-9_]{1,128}$/, "the id of a key, owner or organization"), most)
    .refine((overrides) => Object.keys(overrides).length <= 500, "500 at most")
    .optional()
    .meta({ description: "Other numbers for single subjects, by the id of the key, owner or organization." }),
} as const;

const period = z.enum(["day", "month"]).meta({ description: "A day, or a month, of UTC." });

/** One limit of a route. */
export const limitSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("rate").meta({ description: "How often: so many requests in any window of so many seconds." }),
    ...commonFields,
    limit: most.meta({ description: "Requests in any window, at most." }),
    window: z.number().int().min(1).max(86_400).meta({ description: "Seconds." }),
  }),
  z.strictObject({
    kind: z.literal("quota").meta({ description: "How many requests in a day or month." }),
    ...commonFields,
    limit: most.meta({ description: "Requests in the period, at most." }),
    period,
  }),
  z.strictObject({
    kind: z.literal("budget").meta({
      description: "How many units in a day or month: a request takes the cost of its route, or nothing when the answer is 5xx.",
    }),
    ...commonFields,
    limit: most.meta({ description: "Units in the period, at most." }),
    period,
  }),
  z.strictObject({
    kind: z.literal("concurrency").meta({ description: "How many requests at a time." }),
    ...commonFields,
    limit: most.max(1_000).meta({ description: "Requests under way at once, at most." }),
  }),
]);

/** One validated limit. */
export type Limit = z.infer<typeof limitSchema>;

/** All limits of a route; each is named once. */
export const limitsSchema = z
  .array(limitSchema)
  .min(1)
  .max(8)
  .refine((limits) => new Set(limits.map(({ name }) => name)).size === limits.length, "each name once");

/** Whether what is taken of a limit may come back, when the answer has ended. */
export function comesBack({ kind }: Limit): boolean {
  return kind === "budget" || kind === "concurrency";
}

/** Where one limit is stated otherwise than before, by a name: [route, limit] positions of it; undefined when all agree. */
export function restatedLimit(
  routes: readonly { readonly limits?: readonly Limit[] | undefined }[],
): [route: number, limit: number] | undefined {
  const stated = new Map<string, string>();
  for (const [route, { limits = [] }] of routes.entries())
    for (const [at, limit] of limits.entries()) {
      const text = JSON.stringify(limit);
      if ((stated.get(limit.name) ?? text) !== text) return [route, at];
      stated.set(limit.name, text);
    }
  return undefined;
}
