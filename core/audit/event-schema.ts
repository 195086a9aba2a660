/**
 * Schemas of customers' own audit events, as the WorkOS API has them: which types of targets an action has, and of which type values of metadata are.
 * As in JSON Schema, what a schema does not name is not judged by it.
 */

/** What a value of metadata is. */
export type MetadataType = "string" | "number" | "boolean";

/** An object whose members have these types, where they are there. */
export interface MetadataSchema {
  readonly type: "object";
  readonly properties: Readonly<Record<string, { readonly type: MetadataType }>>;
}

/** What an action's events look like. */
export interface AuditEventSchema {
  readonly targets: readonly { readonly type: string; readonly metadata: MetadataSchema }[];
  readonly actor: { readonly metadata: MetadataSchema };
  readonly metadata: MetadataSchema;
}

type Metadata = Readonly<Record<string, string | number | boolean>> | undefined;

/** As much of an event as schemas look at. */
interface JudgedEvent {
  readonly actor: { readonly metadata?: Metadata };
  readonly targets: readonly { readonly type: string; readonly metadata?: Metadata }[];
  readonly metadata?: Metadata;
}

/** A member of an event that is not as its schema says. */
export interface EventFault {
  /** Names on the way to it. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** What is wrong with an event by its schema: nothing, if it is as it should be. */
export function faultsOf(schema: AuditEventSchema, { actor, targets, metadata }: JudgedEvent): EventFault[] {
  return [
    ...metadataFaults(schema.metadata, metadata, ["metadata"]),
    ...metadataFaults(schema.actor.metadata, actor.metadata, ["actor", "metadata"]),
    ...targets.flatMap((target, at) => targetFaults(schema, target, ["targets", at])),
  ];
}

function targetFaults(
  schema: AuditEventSchema,
  { type, metadata }: JudgedEvent["targets"][number],
  path: readonly (string | number)[],
): EventFault[] {
  const declared = schema.targets.find((target) => target.type === type);
  if (declared) return metadataFaults(declared.metadata, metadata, [...path, "metadata"]);
  return [{ path: [...path, "type"], message: `must be one of ${schema.targets.map((target) => target.type).join(", ")}` }];
}

function metadataFaults({ properties }: MetadataSchema, metadata: Metadata, path: readonly (string | number)[]): EventFault[] {
  return Object.entries(metadata ?? {}).flatMap(([name, value]) => {
    const type = Object.hasOwn(properties, name) ? properties[name]?.type : undefined;
    return type === undefined || typeof value === type ? [] : [{ path: [...path, name], message: `must be a ${type}` }];
  });
}
