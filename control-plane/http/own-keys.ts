/** What widgets do with keys, whoever owns them. Bodies are in camel case here, and every success has one: that is how the WorkOS widgets read. */
import { z } from "zod";
import { assemblePage, walkOf, type Page } from "../../core/page.ts";
import type { ListedOwner } from "../ledger/api-keys.ts";
import type { KeyOwner, SelfServe } from "../ledger/command.ts";
import type { ApiKeyView } from "../ledger/view.ts";
import { invalid } from "./api-error.ts";
import { createApiKey } from "./create-api-key.ts";
import type { Services } from "./endpoint.ts";
import { displayName, isoInstant, permissionSlugs } from "./fields.ts";
import type { Located } from "./path-parameters.ts";
import { goesOneWay, ONE_WAY, pageCursor, pageLimit } from "./query.ts";
import { ok } from "./reply.ts";
import { send, type Terms } from "./send.ts";

const time = z.iso.datetime().nullable();

/** A key in a widget's list. */
export const widgetKeySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    obfuscatedValue: z.string(),
    createdAt: z.iso.datetime(),
    lastUsedAt: time,
    expiresAt: time,
    permissions: z.array(z.string()),
  })
  .meta({ id: "WidgetApiKey" });
type WidgetKey = z.output<typeof widgetKeySchema>;

/** What a widget asks for a new key with. */
export const newWidgetKeySchema = z.object({
  name: displayName,
  permissions: permissionSlugs.default([]),
  expiresAt: isoInstant.nullish(),
});

/** A key as the answer that makes it has it. */
export const createdWidgetKeySchema = z.object({
  id: z.string(),
  value: z.string().describe("The token. It is shown this once."),
  obfuscatedValue: z.string(),
  createdAt: z.iso.datetime(),
  name: z.string(),
  permissions: z.array(z.string()),
  expiresAt: time,
});

/** When a key is to end. */
export const expirySchema = z.object({ expiresAt: isoInstant.nullable().optional() });

/** The answer of an ending. */
export const successSchema = z.object({ success: z.literal(true) });

const searched = z.string().max(255, "at most 255 characters").default("").describe("A part of the name.");

/** The query of a widget's list: always newest first, with the cursors' meaning reversed. */
export const widgetPageQuery = z
  .object({
    limit: pageLimit,
    before: pageCursor("api_key").describe("Older rows than this one."),
    after: pageCursor("api_key").describe("Newer rows than this one."),
    search: searched,
  })
  .refine(goesOneWay, ONE_WAY);

/** A page of a widget's list. */
export function widgetPageOf<Row extends z.ZodType>(row: Row) {
  const cursor = z.string().nullable();
  return z.object({ data: z.array(row), list_metadata: z.object({ before: cursor, after: cursor }) });
}

/** The permissions a widget offers, and how it asks for them. They come at once. */
export const offeredQuery = z.object({ limit: pageLimit, search: searched });

/** Those permissions. */
export const offeredSchema = z.object({
  data: z.array(z.object({ id: z.string(), slug: z.string(), name: z.string(), description: z.string().nullable() })),
  list_metadata: z.object({}),
});

/** Lists the keys that a widget is about. */
export async function listOwn(
  { cells }: Services,
  own: SelfServe,
  query: z.output<typeof widgetPageQuery>,
): Promise<Pick<Page<ApiKeyView>, "data" | "list_metadata">> {
  const { search, ...asked } = query;
  const page = { ...asked, order: "normal" } as const;
  const slice = await cells.ledger(cellOf(cells, own)).listApiKeys(listedOwner(own), walkOf(page), search === "" ? undefined : search);
  const { data, list_metadata } = assemblePage(page, [slice]);
  return { data, list_metadata };
}

/** The permissions that a new key can be given. */
export async function offerPermissions({ cells }: Services, own: SelfServe, { limit, search }: z.output<typeof offeredQuery>) {
  const permissions = await cells.ledger(cellOf(cells, own)).assignablePermissions(own, search, limit);
  return ok({ data: permissions.map(({ id, slug, name, description }) => ({ id, slug, name, description })), list_metadata: {} });
}

/** Makes a key for the owner that the widget is about. */
export async function createOwn(services: Services, own: SelfServe, asked: z.output<typeof newWidgetKeySchema>, terms: Terms) {
  const { name, permissions, expiresAt } = asked;
  const check = async () => {
    if (typeof expiresAt === "number" && expiresAt <= services.now())
      throw invalid([{ code: "invalid_expiry", field: "expiresAt", message: "must be in the future" }]);
  };
  const wanted = { name, permissions, expires_at: expiresAt, environment: undefined };
  const { body } = await createApiKey(services, ownerOf(own), wanted, terms, check);
  const made = body as unknown as ApiKeyView & { readonly value: string };
  const { id, obfuscatedValue, createdAt, expiresAt: end, permissions: granted } = widgetKey(made);
  const { value } = made;
  return { status: 201, body: { id, value, obfuscatedValue, createdAt, name: made.name, permissions: granted, expiresAt: end } } as const;
}

/** Sets the end of a key; answers when it is in force everywhere. */
export async function expireOwn(
  services: Services,
  own: SelfServe,
  { id }: Located,
  { expiresAt }: z.output<typeof expirySchema>,
  terms: Terms,
): Promise<ApiKeyView> {
  const command = { type: "expire_api_key", id, expires_at_ms: expiresAt === undefined ? "now" : expiresAt } as const;
  const { reply } = await send(services, command, { cell: cellOf(services.cells, own), terms: { ...terms, untilInForce: true } });
  return reply as unknown as ApiKeyView;
}

/** Revokes a key; answers when it is dead everywhere. */
export async function revokeOwn(services: Services, own: SelfServe, { id }: Located, terms: Terms) {
  const sending = { cell: cellOf(services.cells, own), terms: { ...terms, untilInForce: true } };
  await send(services, { type: "revoke_api_key", id }, sending);
  return ok({ success: true } as const);
}

/** A key's cell is its organization's, whatever an id says: in it a key of others is not there, or not one's own. */
function cellOf(cells: Services["cells"], { organization_id }: SelfServe): number {
  return cells.cellOf(organization_id);
}

function listedOwner(own: SelfServe): ListedOwner {
  return own.keys === "members" ? { type: "members", organization_id: own.organization_id } : ownerOf(own);
}

/** For whom a key is made. */
function ownerOf({ keys, organization_id, user_id }: SelfServe): KeyOwner {
  return keys === "organization" ? { type: "organization", id: organization_id } : { type: "user", id: user_id, organization_id };
}

/** A key as a widget lists it. */
export function widgetKey(key: ApiKeyView): WidgetKey {
  return {
    id: key.id,
    name: key.name,
    obfuscatedValue: key.obfuscated_value,
    createdAt: key.created_at,
    lastUsedAt: key.last_used_at,
    expiresAt: key.expires_at,
    permissions: [...key.permissions],
  };
}
