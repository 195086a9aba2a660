/**
 * What a path's parameters mean. A parameter's name says what kind of thing it names, so every path that has it is read,
 * refused and described in the same way. A text that cannot name such a thing names nothing: 404.
 */
import { cellOfId, isId, PLATFORM_ORGANIZATION_ID, type IdPrefix } from "../../core/identifier.ts";
import type { Cells } from "../cells.ts";
import { notFound } from "./api-error.ts";
import { auditAction } from "./fields.ts";

/** An id with the cell that its record lives in. */
export interface Located {
  readonly id: string;
  readonly cell: number;
}

/** A place in the ledgers. */
export interface EntryPlace {
  readonly cell: number;
  readonly seq: number;
}

/** How one parameter is read. `parse` answers undefined for what cannot exist in an installation with so many cells. */
interface PathParameter<Value> {
  readonly kind: string;
  readonly description: string;
  readonly example: string;
  readonly parse: (text: string, cells: Cells) => Value | undefined;
}

const ULID_EXAMPLE = "01K8QZ0V6M4F7T2B9C3D5E8G1H";

/** Every parameter a path may have, by name. */
export const PATH_PARAMETERS = {
  api_key_id: locatedById("api_key", "API key"),
  organization_membership_id: locatedById("om", "Organization membership"),
  organization_id: {
    kind: "Organization",
    description: "Id of an organization.",
    example: `org_${ULID_EXAMPLE}`,
    parse: (id, cells) => (isId("org", id) || id === PLATFORM_ORGANIZATION_ID ? { id, cell: cells.cellOf(id) } : undefined),
  } satisfies PathParameter<Located>,
  user_id: {
    kind: "User",
    description: "Id of a user.",
    example: `user_${ULID_EXAMPLE}`,
    parse: (id) => (isId("user", id) ? id : undefined),
  } satisfies PathParameter<string>,
  permission_slug: slug("Permission", "orders:read"),
  role_slug: slug("Role", "member"),
  external_id: {
    kind: "Organization or user with the external id",
    description: "Id in the customer's own system.",
    example: "crm-17",
    parse: (text) => (text.length <= 255 ? text : undefined),
  } satisfies PathParameter<string>,
  cell: {
    kind: "Cell",
    description: "Number of a cell, from 0.",
    example: "0",
    parse: (text, cells) => (/^(?:0|[1-9]\d?)$/.test(text) && Number(text) < cells.count ? Number(text) : undefined),
  } satisfies PathParameter<number>,
  receipt_id: {
    kind: "Receipt",
    description: "Id of a receipt.",
    example: "7-28",
    parse: (text, cells) => {
      const [cell = NaN, seq = NaN] = /^(\d{1,2})-(\d{1,15})$/.exec(text)?.slice(1).map(Number) ?? [];
      return cell < cells.count ? { cell, seq } : undefined;
    },
  } satisfies PathParameter<EntryPlace>,
  webhook_endpoint_id: plainId("we", "Webhook endpoint"),
  event_id: plainId("event", "Event"),
  api_key_request_id: locatedById("api_key_request", "API key request"),
  audit_log_export_id: locatedById("audit_log_export", "Audit log export"),
  audit_log_action: {
    kind: "Audit log action",
    description: "Name of an action of customers' own audit events.",
    example: "document.shared",
    parse: (text: string) => (auditAction.safeParse(text).success ? text : undefined),
  } satisfies PathParameter<string>,
  route_table_version: {
    kind: "Version of the route table",
    description: "Number of a version of the route table.",
    example: "17",
    parse: (text) => (/^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined),
  } satisfies PathParameter<number>,
} as const;

/** Name of a path parameter. */
export type ParameterName = keyof typeof PATH_PARAMETERS;

/** What a parameter is once it is read. */
export type ParameterValue<Name extends ParameterName> = NonNullable<ReturnType<(typeof PATH_PARAMETERS)[Name]["parse"]>>;

/** The names a path like `/organizations/:organization_id` has. */
export type NamesIn<Path extends string> = Path extends `${string}/:${infer Rest}`
  ? Rest extends `${infer Name}/${infer Tail}`
    ? Name | NamesIn<`/${Tail}`>
    : Rest
  : never;

/** The parameters of a path, read. */
export type PathValues<Path extends string> = { readonly [Name in NamesIn<Path> & ParameterName]: ParameterValue<Name> };

/** The names in a path, in order. */
export function parameterNames(path: string): ParameterName[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => name as ParameterName);
}

/** Reads the parameters of a path; 404 for a text that names nothing. */
export function readPath(path: string, texts: Readonly<Record<string, string>>, cells: Cells): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    parameterNames(path).map((name) => {
      const text = texts[name] ?? "";
      const value = PATH_PARAMETERS[name].parse(text, cells);
      if (value === undefined) throw notFound(PATH_PARAMETERS[name].kind, text);
      return [name, value];
    }),
  );
}

/** An id that carries its cell. */
function locatedById(prefix: IdPrefix, kind: string): PathParameter<Located> {
  const parse = (id: string, cells: Cells) => {
    const cell = cellOfId(prefix, id, cells.count);
    return cell === undefined ? undefined : { id, cell };
  };
  return {
    kind,
    description: `Id of an ${kind.replace(/^(?=[OA][a-z])./, (first) => first.toLowerCase())}.`,
    example: `${prefix}_${ULID_EXAMPLE}`,
    parse,
  };
}

/** An id that says nothing of a cell. */
function plainId(prefix: IdPrefix, kind: string): PathParameter<string> {
  const description = `Id of ${/^[AEIOU]/.test(kind) ? "an" : "a"} ${kind.toLowerCase()}.`;
  return { kind, description, example: `${prefix}_${ULID_EXAMPLE}`, parse: (id) => (isId(prefix, id) ? id : undefined) };
}

function slug(kind: string, example: string): PathParameter<string> {
  return { kind, description: `Slug of a ${kind.toLowerCase()}.`, example, parse: (text) => text };
}
