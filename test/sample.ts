/** The smallest value that a published schema takes, so that a request made from a declaration gets as far as its parameters. */
import { Validator, type Schema } from "@cfworker/json-schema";

/** Texts, one of which a schema of text is meant for. Lengths and patterns decide. */
const TEXTS = [
  "x",
  "2999-01-01T00:00:00.000Z",
  "sample@example.com",
  "https://example.com/sample",
  "/sample",
  "192.0.2.0/24",
  "a".repeat(64),
  "",
];

/** A sample: the schema's first example, or the least that it takes; throws for a schema that none of the texts fits: then one is to be added. */
export function sampleOf(schema: Schema): unknown {
  const [example] = (schema["examples"] ?? []) as unknown[];
  if (example !== undefined) return example;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  const [choice] = schema.anyOf ?? schema.oneOf ?? [];
  if (choice) return sampleOf(choice);
  const [type] = [schema.type ?? "null"].flat();
  if (type === "object")
    return Object.fromEntries((schema.required ?? []).map((name) => [name, sampleOf(schema.properties?.[name] as Schema)]));
  if (type === "array") return Array.from({ length: schema.minItems ?? 0 }, () => sampleOf(schema.items as Schema));
  if (type === "integer" || type === "number") return schema.minimum ?? 1;
  if (type === "string") return textFor(schema);
  return type === "boolean" ? true : null;
}

function textFor(schema: Schema): string {
  const validator = new Validator(schema, "2020-12");
  const fitting = TEXTS.find((text) => validator.validate(text).valid);
  if (fitting === undefined) throw new Error(`no sample fits ${JSON.stringify(schema)}`);
  return fitting;
}
