/** Organizations, users and memberships as a cell keeps them, and their public shapes. */
import type { Slice, Walk } from "../../core/page.ts";
import type { UserProfile } from "./command.ts";
import { isoTime } from "./iso-time.ts";
import { walkTable } from "./walk-table.ts";
import type { MembershipView, OrganizationView, UserView } from "./view.ts";

interface OrganizationRow extends Record<string, SqlStorageValue> {
  id: string;
  name: string;
  external_id: string | null;
  created_at_ms: number;
  updated_at_ms: number;
  metadata: string;
  suspended_at_ms: number | null;
}

interface UserRow extends Record<string, SqlStorageValue> {
  id: string;
  email: string;
  first_name: string | null;
  last_name: string | null;
  external_id: string | null;
  created_at_ms: number;
  updated_at_ms: number;
  metadata: string;
  email_verified: number;
  name: string | null;
  locale: string | null;
}

/** A membership as stored, with the organization's name. */
export interface MembershipRow extends Record<string, SqlStorageValue> {
  id: string;
  organization_id: string;
  organization_name: string;
  user_id: string;
  role: string;
  created_at_ms: number;
  updated_at_ms: number;
  status: string;
}

/** Whose memberships, and which. */
export interface MembershipFilter {
  readonly user_id?: string;
  readonly organization_id?: string;
  readonly status?: MembershipView["status"];
}

const MEMBERSHIPS = "(SELECT m.*, o.name AS organization_name FROM memberships m JOIN organizations o ON o.id = m.organization_id)";

/** An organization of this cell, or null. */
export function organizationView(sql: SqlStorage, id: string): OrganizationView | null {
  const [row] = sql.exec<OrganizationRow>("SELECT * FROM organizations WHERE id = ?", id).toArray();
  return row ? toOrganization(row) : null;
}

/** The cell's organizations on a walk. */
export function organizationSlice(sql: SqlStorage, walk: Walk): Slice<OrganizationView> {
  return walkTable<OrganizationRow, OrganizationView>(sql, "organizations", {}, walk, toOrganization);
}

/** A user, or null. Only the home cell knows users. */
export function userView(sql: SqlStorage, id: string): UserView | null {
  const [row] = sql.exec<UserRow>("SELECT * FROM users WHERE id = ?", id).toArray();
  return row ? toUser(row) : null;
}

/** What is said of a user, as it was said: without a name made of others. */
export function userProfile(sql: SqlStorage, id: string): UserProfile {
  const { email_verified, first_name, last_name, name, locale } = sql.exec<UserRow>("SELECT * FROM users WHERE id = ?", id).one();
  return { email_verified: email_verified === 1, first_name, last_name, name, locale };
}

/** Those of the users who are there: at most as many as a page has. */
export function userViews(sql: SqlStorage, ids: readonly string[]): UserView[] {
  const places = ids.map(() => "?").join(", ");
  return sql
    .exec<UserRow>(`SELECT * FROM users WHERE id IN (${places})`, ...ids)
    .toArray()
    .map(toUser);
}

/** The user with an external id, or null. */
export function userByExternalId(sql: SqlStorage, externalId: string): UserView | null {
  const [row] = sql.exec<UserRow>("SELECT * FROM users WHERE external_id = ?", externalId).toArray();
  return row ? toUser(row) : null;
}

/** Users on a walk, all or those of one e-mail address. */
export function userSlice(sql: SqlStorage, filter: { readonly email?: string }, walk: Walk): Slice<UserView> {
  return walkTable<UserRow, UserView>(sql, "users", { email: filter.email?.toLowerCase() }, walk, toUser);
}

/** A membership as stored, or undefined. */
export function membershipRow(sql: SqlStorage, id: string): MembershipRow | undefined {
  return sql.exec<MembershipRow>(`SELECT * FROM ${MEMBERSHIPS} WHERE id = ?`, id).toArray()[0];
}

/** All memberships that a user has in this cell. */
export function membershipRowsOfUser(sql: SqlStorage, userId: string): MembershipRow[] {
  return sql.exec<MembershipRow>(`SELECT * FROM ${MEMBERSHIPS} WHERE user_id = ? ORDER BY id`, userId).toArray();
}

/** A membership's public shape, or null. */
export function membershipView(sql: SqlStorage, id: string): MembershipView | null {
  const row = membershipRow(sql, id);
  return row ? toMembership(row) : null;
}

/** Memberships of this cell's organizations on a walk. */
export function membershipSlice(sql: SqlStorage, filter: MembershipFilter, walk: Walk): Slice<MembershipView> {
  return walkTable<MembershipRow, MembershipView>(sql, MEMBERSHIPS, { ...filter }, walk, toMembership);
}

function toOrganization(row: OrganizationRow): OrganizationView {
  return {
    object: "organization",
    id: row.id,
    name: row.name,
    domains: [],
    metadata: JSON.parse(row.metadata) as Record<string, string>,
    external_id: row.external_id,
    suspended_at: row.suspended_at_ms === null ? null : isoTime(row.suspended_at_ms),
    created_at: isoTime(row.created_at_ms),
    updated_at: isoTime(row.updated_at_ms),
  };
}

function toUser(row: UserRow): UserView {
  const madeName = [row.first_name, row.last_name].filter((part) => part !== null).join(" ");
  return {
    object: "user",
    id: row.id,
    email: row.email,
    email_verified: row.email_verified === 1,
    first_name: row.first_name,
    last_name: row.last_name,
    name: row.name ?? (madeName === "" ? null : madeName),
    profile_picture_url: null,
    last_sign_in_at: null,
    locale: row.locale,
    external_id: row.external_id,
    metadata: JSON.parse(row.metadata) as Record<string, string>,
    created_at: isoTime(row.created_at_ms),
    updated_at: isoTime(row.updated_at_ms),
  };
}

function toMembership(row: MembershipRow): MembershipView {
  return {
    object: "organization_membership",
    id: row.id,
    user_id: row.user_id,
    organization_id: row.organization_id,
    organization_name: row.organization_name,
    status: row.status === "active" ? "active" : "inactive",
    directory_managed: false,
    custom_attributes: {},
    role: { slug: row.role },
    roles: [{ slug: row.role }],
    created_at: isoTime(row.created_at_ms),
    updated_at: isoTime(row.updated_at_ms),
  };
}
