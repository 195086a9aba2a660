/** Commands on users; they run in the home cell. */
import { quoteId } from "../../core/identifier.ts";
import type { Command, UserProfile } from "./command.ts";
import { endMembershipsOf } from "./ending-memberships.ts";
import { mergeMetadata } from "./metadata.ts";
import { userByExternalId, userProfile, userView } from "./tenancy.ts";
import { refuse, type Transaction } from "./transaction.ts";
import { noteEndedUser } from "./user-endings.ts";
import type { UserView } from "./view.ts";

type Of<Type extends Command["type"]> = Extract<Command, { type: Type }>;

/** Creates a user; e-mail addresses are unique without regard to case, external ids as they are. */
export function createUser(transaction: Transaction, command: Of<"create_user">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const { id, external_id, metadata = {} } = command;
  const email = command.email.toLowerCase();
  requireEmailFree(transaction, email, id);
  requireExternalIdFree(transaction, external_id, id);
  const profile = profileOf(command, NO_PROFILE);
  transaction.append("user.created", id, { id, email, ...profile, external_id, metadata });
  sql.exec(
    "INSERT INTO users (id, email, external_id, metadata, created_at_ms, updated_at_ms) VALUES (?, ?, ?, ?, ?, ?)",
    id,
    email,
    external_id,
    JSON.stringify(metadata),
    nowMs,
    nowMs,
  );
  writeProfile(sql, id, profile);
  return { ...userView(sql, id) };
}

/** Changes what is given. No record speaks of it, so no floor is raised. */
export function updateUser(transaction: Transaction, command: Of<"update_user">): Record<string, unknown> {
  const { sql, nowMs } = transaction;
  const before = standingUser(transaction, command.id);
  const { id, external_id = before.external_id } = command;
  const email = command.email?.toLowerCase() ?? before.email;
  const known = userProfile(sql, id);
  const profile = profileOf(command, email === before.email ? known : { ...known, email_verified: false });
  const metadata = mergeMetadata(before.metadata, command.metadata);
  requireEmailFree(transaction, email, id);
  requireExternalIdFree(transaction, external_id, id);
  const previous_attributes = {
    email: before.email,
    ...known,
    external_id: before.external_id,
    metadata: before.metadata,
  };
  transaction.append("user.updated", id, { id, email, ...profile, external_id, metadata, previous_attributes });
  sql.exec(
    "UPDATE users SET email = ?, external_id = ?, metadata = ?, updated_at_ms = ? WHERE id = ?",
    email,
    external_id,
    JSON.stringify(metadata),
    nowMs,
    id,
  );
  writeProfile(sql, id, profile);
  return { ...userView(sql, id) };
}

/** Ends a user with every membership and every key the user owns: here at once, in the other cells before the call returns. */
export function endUser(transaction: Transaction, { id }: Of<"end_user">): Record<string, unknown> {
  const { sql } = transaction;
  const { email } = standingUser(transaction, id);
  const voided = endMembershipsOf(transaction, id);
  const seq = transaction.append("user.deleted", id, { id, email });
  for (const subject of voided) transaction.raise(subject, "revoked", seq);
  transaction.awaitCells("endedUsers", seq);
  sql.exec("DELETE FROM users WHERE id = ?", id);
  noteEndedUser(sql, id, seq);
  return { id };
}

const NO_PROFILE: UserProfile = { email_verified: false, first_name: null, last_name: null, name: null, locale: null };

/** What is given, over what is known. */
function profileOf(given: Partial<UserProfile>, known: UserProfile): UserProfile {
  const { email_verified, first_name, last_name, name, locale } = { ...known, ...given };
  return { email_verified, first_name, last_name, name, locale };
}

function writeProfile(sql: SqlStorage, id: string, { email_verified, first_name, last_name, name, locale }: UserProfile): void {
  sql.exec(
    "UPDATE users SET email_verified = ?, first_name = ?, last_name = ?, name = ?, locale = ? WHERE id = ?",
    Number(email_verified),
    first_name,
    last_name,
    name,
    locale,
    id,
  );
}

function standingUser({ sql }: Transaction, id: string): UserView {
  return userView(sql, id) ?? refuse("entity_not_found", `User not found: ${quoteId(id)}.`);
}

function requireEmailFree({ sql }: Transaction, email: string, id: string): void {
  if (sql.exec("SELECT 1 FROM users WHERE email = ? AND id <> ?", email, id).toArray().length > 0)
    refuse("already_exists", "A user with this e-mail address exists already.", "email");
}

function requireExternalIdFree({ sql }: Transaction, externalId: string | null, id: string): void {
  const holder = externalId === null ? null : userByExternalId(sql, externalId);
  if (holder && holder.id !== id) refuse("external_id_already_used", "Another user has this external id.", "external_id");
}
