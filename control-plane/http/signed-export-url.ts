/**
 * URLs of exports: made for who asks for an export, and good for whoever has them, ten minutes, and no longer than who asked may read the audit log.
 */
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { coversAny, type PlatformPermission } from "../../core/permission.ts";
import { readExportToken, signExportToken, type ExportGrant } from "../audit/export-token.ts";
import { unauthorized } from "./api-error.ts";
import type { Caller } from "./caller.ts";
import type { Services } from "./endpoint.ts";

/** What it takes to ask for an export, and for its URL to stay good. */
export const READING_PERMISSION: PlatformPermission = "portcullis:audit_logs:read";

/** A URL for an export, on the host that the caller has found us on. */
export async function urlOfExport(services: Services, { actor }: Caller, exportId: string, origin: string): Promise<string> {
  const { configuration, now } = services;
  const times = { nowMs: now(), endsByMs: actor.signed_in_until_ms };
  const token = await signExportToken({ exportId, issuedBy: actor }, configuration.widgets.tokenKey, times);
  return `${origin}/audit_logs/exports/${exportId}/audit_log.csv?token=${token}`;
}

/** Establishes who calls with such a URL: in the name of who asked for it, for that export. 401 for whoever does not. */
export async function throughSignedUrl(services: Services, request: Request): Promise<Caller> {
  const { configuration, now } = services;
  const token = new URL(request.url).searchParams.get("token") ?? "";
  const grant = await readExportToken(token, configuration.widgets.tokenKey, now());
  if (!grant || !(await mayStillRead(services, grant))) throw unauthorized();
  return { actor: grant.issuedBy, permissions: [], exportId: grant.exportId };
}

/** A platform key may have lost the permission since. An admin is believed until their sign-in ends, and so is their URL. */
async function mayStillRead({ cells }: Services, { issuedBy }: ExportGrant): Promise<boolean> {
  if (issuedBy.type === "user") return true;
  const platform = cells.ledger(cells.cellOf(PLATFORM_ORGANIZATION_ID));
  return coversAny(await platform.heldByPlatformKey(issuedBy.id), READING_PERMISSION);
}
