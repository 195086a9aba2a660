/** Commands on organizations. */
import { PLATFORM_ORGANIZATION_ID, quoteId } from "../../core/identifier.ts";
import type { Command } from "./command.ts";
import { noteEndedOrganization } from "./ended-organizations.ts";
import { noteRelease } from "./key-schedule.ts";
import { mergeMetadata } from "./metadata.ts";
import { organizationView } from "./tenancy.ts";
import { refuse, type Transaction } from "./transaction.ts";
import type { OrganizationView } from "./view.ts";

type Of<Type extends Command["type"]> = Extract<Command, { type: Type }>;

/** Creates an organization in the cell its id hashes to. */
export function createOrganization(transaction: Transaction, command: Of<"create_organization">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const { id, name, external_id, metadata = {} } = command;
  if (organizationView(sql, id)) refuse("already_exists", `Organization ${id} exists already.`, "id");
  transaction.append("organization.created", id, { id, name, external_id, metadata });
  sql.exec(
    "INSERT INTO organizations (id, name, external_id, metadata, created_at_ms, updated_at_ms) VALUES (?, ?, ?, ?, ?, ?)",
    id,
    name,
    external_id,
    JSON.stringify(metadata),
    nowMs,
    nowMs,
  );
  return { ...organizationView(sql, id) };
}

/** Changes what is given. No record speaks of it, so no floor is raised. */
export function updateOrganization(transaction: Transaction, command: Of<"update_organization">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const before = customerOrganization(transaction, command.id);
  const { id, name = before.name, external_id = before.external_id } = command;
  const metadata = mergeMetadata(before.metadata, command.metadata);
  transaction.append("organization.updated", id, {
    id,
    name,
    external_id,
    metadata,
    previous_attributes: { name: before.name, external_id: before.external_id, metadata: before.metadata },
  });
  sql.exec(
    "UPDATE organizations SET name = ?, external_id = ?, metadata = ?, updated_at_ms = ? WHERE id = ?",
    name,
    external_id,
    JSON.stringify(metadata),
    nowMs,
    id,
  );
  return { ...organizationView(sql, id) };
}

/** Keeps every key in an organization from working until it is resumed. One that is suspended already stays so since then. */
export function suspendOrganization(transaction: Transaction, { id }: Of<"suspend_organization">): Record<string, unknown> {
  return setSuspendedAt(transaction, id, "organization.suspended", transaction.nowMs);
}

/** Lets an organization's keys work again. */
export function resumeOrganization(transaction: Transaction, { id }: Of<"resume_organization">): Record<string, unknown> {
  return setSuspendedAt(transaction, id, "organization.resumed", null);
}

/** Either way copies from before are void: the ones that let pass, and the ones that keep from passing. */
function setSuspendedAt(
  transaction: Transaction,
  id: string,
  entryType: "organization.suspended" | "organization.resumed",
  atMs: number | null,
): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const { name, suspended_at } = customerOrganization(transaction, id);
  const seq = transaction.append(entryType, id, { id, name, previous_attributes: { suspended_at } });
  sql.exec(
    "UPDATE organizations SET suspended_at_ms = iif(? IS NULL, NULL, coalesce(suspended_at_ms, ?)), updated_at_ms = ? WHERE id = ?",
    atMs,
    atMs,
    nowMs,
    id,
  );
  if (atMs === null && suspended_at !== null) noteRelease(transaction, id);
  transaction.raise(`org:${id}`, "superseded", seq);
  return { ...organizationView(sql, id) };
}

/**
 * Ends an organization with everything in it, by one floor, however many keys there are: without its organization a key is dead.
 * What the key's rows say follows; see {@link noteEndedOrganization}.
 */
export function endOrganization(transaction: Transaction, { id }: Of<"end_organization">): Record<string, unknown> {
  const { sql } = transaction;
  const { name, external_id } = customerOrganization(transaction, id);
  const { keys } = sql
    .exec<{ keys: number }>("SELECT count(*) AS keys FROM api_keys WHERE organization_id = ? AND revoked_seq IS NULL", id)
    .one();
  const seq = transaction.append("organization.deleted", id, { id, name, external_id, revoked_api_keys: keys });
  transaction.raise(`org:${id}`, "revoked", seq);
  sql.exec("DELETE FROM organizations WHERE id = ?", id);
  noteEndedOrganization(transaction, id, seq);
  return { id };
}

/** An organization that is there and is not the one whose keys govern this installation. */
function customerOrganization({ sql }: Transaction, id: string): OrganizationView {
  if (id === PLATFORM_ORGANIZATION_ID)
    refuse(
      "platform_organization",
      "The platform organization, whose keys govern this installation, cannot be changed, suspended or ended.",
    );
  return organizationView(sql, id) ?? refuse("entity_not_found", `Organization not found: ${quoteId(id)}.`);
}
