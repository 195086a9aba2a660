/**
 * The Ledger Durable Object: one cell. A thin shell: every change goes through {@link execute} in one transaction, and
 * everything else is derived from it. The alarm drives what must happen afterwards (KV records, catalogue copies) until
 * it has happened; it is set in the same event as the commit, so no crash can lose it.
 */
import { DurableObject } from "cloudflare:workers";
import type { FloorView } from "../../core/floor.ts";
import { tagKeysOf } from "../../core/configuration.ts";
import { HOME_CELL } from "../../core/identifier.ts";
import type { Resolution } from "../../core/ledger-reader.ts";
import type { Slice, Walk } from "../../core/page.ts";
import type { RouteTable } from "../../core/route.ts";
import type { TagKeys } from "../../core/token.ts";
import { withDeadline } from "../../platform/deadline.ts";
import { decodeBase64Url } from "../configuration.ts";
import * as apiKeys from "./api-keys.ts";
import * as catalogue from "./catalogue.ts";
import { cellsBehind, confirmMirror, takeCatalogue } from "./catalogue-mirror.ts";
import type { Command, CommandEnvelope, Outcome } from "./command.ts";
import type { Catalogue, LedgerContract } from "./contract.ts";
import { execute, forgetOldCommands, nextForgettingAtMs } from "./execute.ts";
import { viewFloors, viewOfNothing } from "./floors.ts";
import { latestSeq, readEntries, verifyChain, type ChainCheck, type ChainPosition } from "./journal.ts";
import { healPublication, nextPublicationAtMs, publishDue } from "./publications.ts";
import { resolveToken, subjectsOfToken } from "./resolve.ts";
import { routeTable } from "./route-table.ts";
import { migrate } from "./schema.ts";
import * as tenancy from "./tenancy.ts";
import { Transaction } from "./transaction.ts";
import type { ApiKeyView, EntryView, MembershipView, OrganizationView, PermissionView, RoleView, UserView } from "./view.ts";

/** Bindings the ledger needs. */
export interface LedgerEnv {
  readonly LEDGER: DurableObjectNamespace<Ledger>;
  readonly KEYS: KVNamespace;
  /** Number of cells, fixed at installation. */
  readonly CELLS: string;
  readonly TAG_KEYS: string;
}

/** How long before a cell that did not take the catalogue is tried again, in ms. */
const MIRROR_RETRY_MS = 1_000;
/** How long a cell may take to take the catalogue, in ms: a cell that hangs must not keep the alarm from the outbox. */
const MIRROR_DEADLINE_MS = 5_000;

/** Takes some 50 ms, during which the cell answers nobody else. */
const ENTRIES_VERIFIED_AT_ONCE = 1_000;

/** Commands that are in force only when every cell has them. */
const CATALOGUE_COMMANDS: ReadonlySet<Command["type"]> = new Set([
  "create_permission",
  "update_permission",
  "delete_permission",
  "create_role",
  "set_role_permissions",
] as const);

/** Name of a cell's object. */
export function cellName(cell: number): string {
  return `cell-${cell}`;
}

export class Ledger extends DurableObject<LedgerEnv> implements LedgerContract {
  readonly #storage: DurableObjectStorage;
  readonly #sql: SqlStorage;
  readonly #tagKeys: TagKeys;

  constructor(ctx: DurableObjectState, env: LedgerEnv) {
    super(ctx, env);
    this.#storage = ctx.storage;
    this.#sql = ctx.storage.sql;
    this.#tagKeys = tagKeysOf(env.TAG_KEYS, decodeBase64Url);
    migrate(ctx.storage);
    void ctx.blockConcurrencyWhile(() => this.#arm());
  }

  async execute(envelope: CommandEnvelope): Promise<Outcome> {
    const outcome = execute(this.#storage, this.#cell(), envelope, Date.now());
    if (outcome.ok) await this.#arm();
    // Also when refused: "it is gone already" would be taken for "it is in force".
    if (!CATALOGUE_COMMANDS.has(envelope.command.type) || (await this.#mirror())) return outcome;
    return {
      ok: false,
      refusal: {
        code: "not_yet_effective",
        message: "The change is committed but not yet in force in every cell. Send the same request with the same Idempotency-Key again.",
      },
    };
  }

  async mirrorCatalogue(received: Catalogue): Promise<void> {
    const transaction = new Transaction(this.#sql, this.#cell(), Date.now(), { type: "system", id: "home_cell" });
    this.#storage.transactionSync(() => takeCatalogue(transaction, received));
  }

  override async alarm(): Promise<void> {
    try {
      await publishDue(this.#storage, { kv: this.env.KEYS, tagKeys: this.#tagKeys, now: Date.now });
      await this.#mirror();
      forgetOldCommands(this.#sql, Date.now());
    } finally {
      await this.#arm();
    }
  }

  async observe(tokenId: string): Promise<FloorView> {
    const subjects = subjectsOfToken(this.#sql, tokenId);
    return subjects ? viewFloors(this.#sql, subjects) : viewOfNothing(this.#sql);
  }

  async observeRoutes(): Promise<FloorView> {
    return viewFloors(this.#sql, ["routes"]);
  }

  async resolve(tokenId: string, seenStamp?: number | null): Promise<Resolution> {
    const record = resolveToken(this.#sql, tokenId, Date.now());
    if (!record) return { found: false };
    if (seenStamp !== undefined && healPublication(this.#sql, tokenId, seenStamp, latestSeq(this.#sql), Date.now())) await this.#arm();
    return { found: true, record };
  }

  async resolveRoutes(): Promise<RouteTable> {
    return routeTable(this.#sql);
  }

  async validate(tokenId: string, sha256: string): Promise<ApiKeyView | null> {
    return apiKeys.validateToken(this.#sql, tokenId, sha256, Date.now());
  }

  async apiKey(id: string): Promise<ApiKeyView | null> {
    return apiKeys.apiKeyView(this.#sql, id);
  }

  async listApiKeys(owner: Parameters<LedgerContract["listApiKeys"]>[0], walk: Walk): Promise<Slice<ApiKeyView>> {
    return apiKeys.apiKeySlice(this.#sql, owner, walk);
  }

  async organization(id: string): Promise<OrganizationView | null> {
    return tenancy.organizationView(this.#sql, id);
  }

  async listOrganizations(walk: Walk): Promise<Slice<OrganizationView>> {
    return tenancy.organizationSlice(this.#sql, walk);
  }

  async membership(id: string): Promise<MembershipView | null> {
    return tenancy.membershipView(this.#sql, id);
  }

  async listMemberships(
    filter: { readonly user_id?: string; readonly organization_id?: string },
    walk: Walk,
  ): Promise<Slice<MembershipView>> {
    return tenancy.membershipSlice(this.#sql, filter, walk);
  }

  async user(id: string): Promise<UserView | null> {
    return tenancy.userView(this.#sql, id);
  }

  async listUsers(filter: { readonly email?: string }, walk: Walk): Promise<Slice<UserView>> {
    return tenancy.userSlice(this.#sql, filter, walk);
  }

  async permission(slug: string): Promise<PermissionView | null> {
    return catalogue.permissionView(this.#sql, slug);
  }

  async listPermissions(walk: Walk): Promise<Slice<PermissionView>> {
    return catalogue.permissionSlice(this.#sql, walk);
  }

  async role(slug: string): Promise<RoleView | null> {
    return catalogue.roleView(this.#sql, slug);
  }

  async listRoles(): Promise<RoleView[]> {
    return catalogue.roleViews(this.#sql);
  }

  async entries(afterSeq: number, limit: number): Promise<EntryView[]> {
    return readEntries(this.#sql, afterSeq, limit);
  }

  async verify(from: ChainPosition): Promise<ChainCheck> {
    return verifyChain(this.#sql, from, ENTRIES_VERIFIED_AT_ONCE);
  }

  /** Brings the other cells' catalogues up to date; whether all have it. */
  async #mirror(): Promise<boolean> {
    if (this.#cell() !== HOME_CELL) return true;
    const behind = cellsBehind(this.#sql, this.#cells(), HOME_CELL);
    if (behind.length === 0) return true;
    const current = catalogue.catalogueOf(this.#sql);
    const delivered = await Promise.allSettled(
      behind.map(async (cell) => {
        await withDeadline(this.env.LEDGER.getByName(cellName(cell)).mirrorCatalogue(current), MIRROR_DEADLINE_MS);
        confirmMirror(this.#sql, cell, current.homeSeq);
      }),
    );
    return delivered.every((delivery) => delivery.status === "fulfilled");
  }

  /** Sets the alarm for the earliest thing that is waiting. */
  async #arm(): Promise<void> {
    const nowMs = Date.now();
    const mirrorAtMs =
      this.#cell() === HOME_CELL && cellsBehind(this.#sql, this.#cells(), HOME_CELL).length > 0 ? nowMs + MIRROR_RETRY_MS : null;
    const waiting = [nextPublicationAtMs(this.#sql), nextForgettingAtMs(this.#sql), mirrorAtMs].filter((at) => at !== null);
    if (waiting.length > 0) await this.#storage.setAlarm(Math.max(nowMs, Math.min(...waiting)));
  }

  #cell(): number {
    const cell = Number(/^cell-(\d+)$/.exec(this.ctx.id.name ?? "")?.[1]);
    if (!Number.isInteger(cell) || cell >= this.#cells())
      throw new Error(`not the name of a cell: ${this.ctx.id.name ?? "unnamed object"}`);
    return cell;
  }

  #cells(): number {
    return Number(this.env.CELLS);
  }
}
