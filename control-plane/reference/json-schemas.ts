/** JSON Schema (draft 2020-12) of the zod schemas that endpoints are declared with. */
import { z } from "zod";

/** A schema as it is published. */
export type JsonSchema = z.core.JSONSchema.BaseSchema;

/** Which side of a schema: what is taken, or what is answered. */
type Side = "input" | "output";

/** Collects schemas and publishes them together, so that what has an id (`.meta({ id })`) is published once and referred to. */
export class JsonSchemas {
  readonly #collected = new Map<string, z.ZodType>();
  readonly #side: Side;

  constructor(side: Side) {
    this.#side = side;
  }

  /** Takes a schema under a name of its own. */
  add(name: string, schema: z.ZodType): void {
    this.#collected.set(name, schema);
  }

  /** All collected schemas by name, and the shared ones by id. What JSON Schema cannot say of them (refinements) is left out. */
  publish(): { readonly named: ReadonlyMap<string, JsonSchema>; readonly shared: Readonly<Record<string, JsonSchema>> } {
    const all = z.toJSONSchema(z.object(Object.fromEntries(this.#collected)), { io: this.#side, override: published });
    const { properties = {}, $defs = {} } = pointingToComponents(all);
    return { named: new Map(Object.entries(properties as Record<string, JsonSchema>)), shared: $defs };
  }
}

/**
 * A schema may say in its metadata how it is published, where the type on the wire says less than is meant. And a format needs no
 * pattern beside it, nor what is published under its id the id.
 */
function published({ zodSchema, jsonSchema }: { readonly zodSchema: z.core.$ZodType; readonly jsonSchema: JsonSchema }): void {
  delete jsonSchema.id;
  if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
  const as = z.globalRegistry.get(zodSchema)?.["publishedAs"];
  if (typeof as !== "object" || as === null) return;
  for (const member of Object.keys(jsonSchema)) delete jsonSchema[member];
  Object.assign(jsonSchema, as);
}

function pointingToComponents(schema: JsonSchema): JsonSchema {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/')) as JsonSchema;
}
