/** The file that routes are kept in: what it may say, and its JSON Schema, by which editors complete and check it. */
import { z } from "zod";
import { CREDENTIAL_PLACES } from "../core/credential.ts";
import { permissionSlug } from "../core/permission-slug.ts";
import { TOLD } from "../core/reason.ts";
import { routesSchema } from "../core/route.ts";

const METHOD_AND_TARGET = /^[A-Z]+ (?:https?:\/\/[^/\s]+)?\/\S*$/;

const requestFields = {
  request: z
    .string()
    .regex(METHOD_AND_TARGET, "a method and a path, or a URL where the host matters: 'GET /orders/17'")
    .meta({ description: "Method and path, or URL: GET /orders/17, or GET https://api.example.com/orders/17." }),
  permissions: z.array(permissionSlug).optional().meta({ description: "What the key may do. Absent: there is no key." }),
  place: z.enum(CREDENTIAL_PLACES).optional().meta({ description: "Where the key is carried. Usually bearer." }),
  from: z.string().optional().meta({ description: "The client's network address." }),
  origin: z.string().optional().meta({ description: "Of a preflight: the page's origin." }),
  preflight: z.string().optional().meta({ description: "Of a preflight, an OPTIONS request: the method that is to follow." }),
} as const;

const isWholePreflight = ({ origin, preflight }: { readonly origin?: string | undefined; readonly preflight?: string | undefined }) =>
  (origin === undefined) === (preflight === undefined);
const HALF_PREFLIGHT = { error: "a preflight has both an origin and the method that is to follow", path: ["preflight"] };

/** One request as people write it. */
export const writtenRequestSchema = z.strictObject(requestFields).refine(isWholePreflight, HALF_PREFLIGHT);

/** One request, written. */
export type WrittenRequest = z.infer<typeof writtenRequestSchema>;

/** One request and what is to become of it. */
const expectationSchema = z
  .strictObject({
    ...requestFields,
    allow: z.string().optional().meta({ description: "The route by which it passes, or by which a preflight is answered." }),
    deny: z
      .enum(Object.keys(TOLD) as [keyof typeof TOLD, ...(keyof typeof TOLD)[]])
      .optional()
      .meta({ description: "The reason for which it is refused, as in the log." }),
  })
  .refine(({ allow, deny }) => (allow === undefined) !== (deny === undefined), { error: "either allow or deny", path: ["allow"] })
  .refine(isWholePreflight, HALF_PREFLIGHT);

/** One line of the table of tests. */
export type Expectation = z.infer<typeof expectationSchema>;

/** The whole file. */
export const routeFileSchema = z.strictObject({
  $schema: z.string().optional().meta({ description: "The JSON Schema by which editors complete and check this file." }),
  routes: routesSchema.meta({
    description: "The whole table, 1,000 routes at most. What matches none is refused; the order means nothing.",
  }),
  tests: z
    .array(expectationSchema)
    .max(10_000)
    .optional()
    .meta({ description: "Requests, and what is to become of each; see npm run routes -- test." }),
});

/** A file that was read. */
export type RouteFile = z.infer<typeof routeFileSchema>;

/** The file's JSON Schema (draft 2020-12), as text. What it cannot say (overlaps, names that are there twice) `check` does. */
export function routeFileJsonSchema(): string {
  const schema = z.toJSONSchema(routeFileSchema, { io: "input" });
  return `${JSON.stringify({ title: "Portcullis routes", ...schema }, null, 2)}\n`;
}
