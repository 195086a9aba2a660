/**
 * One organization with everything in it that changes: keys come, are narrowed, widened, rotated, disabled, and end; members change roles, roles
 * what they allow, memberships end. One change after the other, so that each is known when the next is made; and right after
 * each has returned, what it concerns is asked about at every gateway.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../random.ts";
import type { Json } from "../../local/api-client.ts";
import type { ControlPlaneCalls } from "./control-plane-calls.ts";
import { PERMISSIONS } from "./routes.ts";
import { Timeline, type Asked } from "./timeline.ts";
import { newKey, type Key, type Membership, type Organization, type Role, type World } from "./world.ts";

/** Keys that a tenant has at least, and at most. */
const KEYS = { least: 6, most: 12 } as const;
const OVERLAP_S = 2;
/** Milliseconds by which a gateway's clock may lag, and by which the machine may be late. */
const CLOCK_SLACK_MS = 300;
const EXPIRES_AFTER_MS = { least: 3_000, most: 15_000 } as const;
/** For how long the soak looks at what it has changed for a while only, in ms. */
const LOOK_MS = 300;

interface Surroundings {
  readonly world: World;
  readonly calls: ControlPlaneCalls;
  readonly random: Random;
  readonly probe: (key: Key) => void;
}

/** One tenant. */
export class Tenant {
  readonly #surroundings: Surroundings;
  readonly #organization: Organization;
  readonly #roles: readonly Role[];
  readonly #userId: string;
  #membership: Membership;
  #keys: Key[] = [];

  private constructor(surroundings: Surroundings, organization: Organization, roles: readonly Role[], membership: Membership) {
    this.#surroundings = surroundings;
    this.#organization = organization;
    this.#roles = roles;
    this.#membership = membership;
    this.#userId = membership.userId;
  }

  /** Makes the organization, its roles, its member and its first keys. */
  static async settle(name: string, surroundings: Surroundings): Promise<Tenant> {
    const { calls } = surroundings;
    const organization: Organization = { id: idOf(await calls.change("POST", "/organizations", { name })), isRunning: new Timeline(true) };
    const roles: Role[] = [];
    for (const slug of [`${name}-one`, `${name}-two`]) {
      await calls.change("POST", "/authorization/roles", { slug, name: slug });
      await calls.change("PUT", `/authorization/roles/${slug}/permissions`, { permissions: [...PERMISSIONS] });
      roles.push({ slug, permissions: new Timeline<readonly string[]>(PERMISSIONS) });
    }
    const userId = idOf(await calls.change("POST", "/user_management/users", { email: `${name}@example.com` }));
    const [role] = roles;
    if (!role) throw new Error("a tenant has roles");
    const tenant = new Tenant(surroundings, organization, roles, await joined(calls, userId, organization, role));
    for (let made = 0; made < KEYS.least; made += 1) await tenant.#create();
    return tenant;
  }

  /** Makes any one change, and waits until it is acknowledged. */
  async act(): Promise<void> {
    const { random } = this.#surroundings;
    this.#dropEnded();
    const key = random.pick(this.#keys);
    if (!key || this.#keys.length < KEYS.least) return this.#create();
    if (this.#keys.length > KEYS.most) return this.#revoke(key);
    const chance = random.next();
    if (chance < 0.2) return this.#create();
    if (chance < 0.36) return this.#revoke(key);
    if (chance < 0.58) return this.#regrant(key);
    if (chance < 0.7) return this.#rotate(key);
    if (chance < 0.8) return this.#disableForAWhile(key);
    if (chance < 0.87) return this.#changeRole();
    if (chance < 0.92) return this.#moveMember();
    if (chance < 0.95) return this.#deactivateForAWhile();
    return chance < 0.97 ? this.#suspendForAWhile() : this.#endMembership();
  }

  async #create(): Promise<void> {
    const { calls, random, world, probe } = this.#surroundings;
    const isMembers = random.chance(0.3);
    const may = isMembers ? this.#membership.role.latest.permissions.latest : PERMISSIONS;
    const permissions = this.#some(may);
    const expiresAtMs = random.chance(0.15) ? Date.now() + random.between(EXPIRES_AFTER_MS.least, EXPIRES_AFTER_MS.most) : undefined;
    const body = {
      name: "Soak",
      permissions,
      ...(expiresAtMs !== undefined && { expires_at: new Date(expiresAtMs).toISOString() }),
      ...(isMembers && { organization_id: this.#organization.id }),
    };
    const path = isMembers ? `/user_management/users/${this.#userId}/api_keys` : `/organizations/${this.#organization.id}/api_keys`;
    // What had to be sent again for too long may have ended before it was made.
    const isTooLate = (code: unknown) => code === "invalid_expiry" && expiresAtMs !== undefined && Date.now() >= expiresAtMs;
    const made = await calls.changeUnless(isTooLate, "POST", path, body);
    if (!made) return;
    const key = newKey({
      id: idOf(made),
      value: String(made["value"]),
      organization: this.#organization,
      ...(isMembers && { membership: this.#membership }),
      permissions,
    });
    if (expiresAtMs !== undefined) key.hasExpired.ask(true, expiresAtMs - CLOCK_SLACK_MS).done(expiresAtMs + CLOCK_SLACK_MS);
    this.#keys.push(key);
    world.live.push(key);
    probe(key);
  }

  async #revoke(key: Key): Promise<void> {
    this.#keys = this.#keys.filter((each) => each !== key);
    await this.#changing([key.isRevoked.ask(true, Date.now())], "DELETE", `/api_keys/${key.id}`);
    this.#surroundings.world.bury(key);
    this.#surroundings.probe(key);
  }

  async #regrant(key: Key): Promise<void> {
    if (key.membership || key.hasExpired.latest) return;
    const permissions = this.#some(PERMISSIONS);
    await this.#changing([key.granted.ask(permissions, Date.now())], "PATCH", `/api_keys/${key.id}`, { permissions });
    this.#surroundings.probe(key);
  }

  async #rotate(key: Key): Promise<void> {
    if (key.hasExpired.latest) return;
    const nowMs = Date.now();
    const older = key.secrets.filter(({ isCurrent }) => isCurrent.possible(nowMs, nowMs).includes(true));
    // A key has two working secrets at most: with two, only an overlap of 0 is possible.
    const overlapS = older.length === 1 && this.#surroundings.random.chance(0.5) ? OVERLAP_S : 0;
    const slackMs = overlapS === 0 ? 0 : CLOCK_SLACK_MS;
    const asked = older.map(({ isCurrent }) => isCurrent.ask(false, nowMs + overlapS * 1_000 - slackMs));
    const rotated = await this.#changing([], "POST", `/api_keys/${key.id}/rotate`, { overlap_seconds: overlapS });
    for (const each of asked) each.done(Date.now() + overlapS * 1_000 + slackMs);
    key.secrets.splice(0, Math.max(0, key.secrets.length - 2));
    key.secrets.push({ value: String(rotated["value"]), isCurrent: new Timeline(true) });
    this.#surroundings.probe(key);
  }

  async #disableForAWhile(key: Key): Promise<void> {
    if (key.hasExpired.latest) return;
    await this.#changing([key.isEnabled.ask(false, Date.now())], "POST", `/api_keys/${key.id}/disable`, {});
    this.#surroundings.probe(key);
    await sleep(LOOK_MS);
    await this.#changing([key.isEnabled.ask(true, Date.now())], "POST", `/api_keys/${key.id}/enable`, {});
    this.#surroundings.probe(key);
  }

  async #changeRole(): Promise<void> {
    const role = this.#surroundings.random.pick(this.#roles);
    if (!role) return;
    const permissions = this.#some(PERMISSIONS);
    const path = `/authorization/roles/${role.slug}/permissions`;
    await this.#changing([role.permissions.ask(permissions, Date.now())], "PUT", path, { permissions });
    this.#probeMembers();
  }

  async #moveMember(): Promise<void> {
    const { id, role } = this.#membership;
    const other = this.#roles.find((each) => each !== role.latest);
    if (!other) return;
    const path = `/user_management/organization_memberships/${id}`;
    await this.#changing([role.ask(other, Date.now())], "PUT", path, { role_slug: other.slug });
    this.#probeMembers();
  }

  async #deactivateForAWhile(): Promise<void> {
    const { id, status } = this.#membership;
    const path = `/user_management/organization_memberships/${id}`;
    await this.#changing([status.ask("inactive", Date.now())], "PUT", `${path}/deactivate`, {});
    this.#probeMembers();
    await sleep(LOOK_MS);
    await this.#changing([status.ask("active", Date.now())], "PUT", `${path}/reactivate`, {});
    this.#probeMembers();
  }

  async #suspendForAWhile(): Promise<void> {
    const { id, isRunning } = this.#organization;
    await this.#changing([isRunning.ask(false, Date.now())], "POST", `/organizations/${id}/suspend`, {});
    for (const key of this.#keys.slice(0, 3)) this.#surroundings.probe(key);
    await sleep(LOOK_MS);
    await this.#changing([isRunning.ask(true, Date.now())], "POST", `/organizations/${id}/resume`, {});
    for (const key of this.#keys.slice(0, 3)) this.#surroundings.probe(key);
  }

  /** The keys of the member end for good; who comes back begins anew. */
  async #endMembership(): Promise<void> {
    const { id, status, role } = this.#membership;
    await this.#changing([status.ask("ended", Date.now())], "DELETE", `/user_management/organization_memberships/${id}`);
    this.#probeMembers();
    for (const key of this.#keys.filter(({ membership }) => membership)) this.#surroundings.world.bury(key);
    this.#keys = this.#keys.filter(({ membership }) => !membership);
    this.#membership = await joined(this.#surroundings.calls, this.#userId, this.#organization, role.latest);
  }

  async #changing(asked: readonly Asked[], method: string, path: string, body?: Json): Promise<Json> {
    const answer = await this.#surroundings.calls.change(method, path, body);
    for (const each of asked) each.done(Date.now());
    return answer;
  }

  #probeMembers(): void {
    for (const key of this.#keys.filter(({ membership }) => membership).slice(0, 3)) this.#surroundings.probe(key);
  }

  /** Keys whose time has come are of no use any more; they are asked about like revoked ones. */
  #dropEnded(): void {
    const nowMs = Date.now();
    for (const key of this.#keys.filter(({ hasExpired }) => !hasExpired.possible(nowMs, nowMs).includes(false)))
      this.#surroundings.world.bury(key);
    this.#keys = this.#keys.filter((key) => this.#surroundings.world.live.includes(key));
  }

  /** Some of the permissions, one at least; mostly with the one that most routes ask for. */
  #some(of: readonly string[]): readonly string[] {
    const { random } = this.#surroundings;
    const some = of.filter((permission) => random.chance(permission === "orders:read" ? 0.85 : 0.5));
    return some.length > 0 ? some : of.slice(0, 1);
  }
}

async function joined(calls: ControlPlaneCalls, userId: string, organization: Organization, role: Role): Promise<Membership> {
  const body = { user_id: userId, organization_id: organization.id, role_slug: role.slug };
  const membership = await calls.change("POST", "/user_management/organization_memberships", body);
  return { id: idOf(membership), userId, role: new Timeline(role), status: new Timeline("active") };
}

function idOf(made: Json): string {
  return String(made["id"]);
}
