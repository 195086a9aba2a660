/**
 * What a cell asks of the others and tells them: the home cell brings them the catalogue and the users that have ended; before a
 * commit that concerns more than one cell the others are asked. Every answer has a deadline.
 */
import { HOME_CELL, PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { worstCaseOf, type Tunables } from "../../core/protocol/tunables.ts";
import { DeadlineError, withDeadline } from "../../platform/deadline.ts";
import { LedgerUnreachableError, type Cells } from "../cells.ts";
import { catalogueOf, catalogueSeq } from "./catalogue.ts";
import { cellsBehind, confirmMirror } from "./catalogue-mirror.ts";
import { CellDelivery } from "./cell-delivery.ts";
import type { AdminRoles, Command, CommandEnvelope, Refusal } from "./command.ts";
import type { LedgerContract } from "./contract.ts";
import { externalIdHolder, giveExternalId } from "./external-ids.ts";
import { keyToAskAbout } from "./key-makers.ts";
import { objectionToKeyRequest } from "./key-request-objections.ts";
import type { InForceWatch } from "./in-force.ts";
import { cellsUntold, confirmUserEndings, latestEndedUserSeq, undeliveredUsers } from "./user-endings.ts";

/** What a cell may take to answer, in ms; besides the time that its replicas may take, where something must be in force there. */
const ANSWER_MS = 5_000;

/** Commands whose effect on the catalogue every cell must have before they answer. */
const CATALOGUE_COMMANDS: ReadonlySet<Command["type"]> = new Set([
  "create_permission",
  "update_permission",
  "delete_permission",
  "create_role",
  "set_role_permissions",
  "update_role",
  "add_role_permission",
  "remove_role_permission",
  "delete_role",
  "set_api_key_policy",
] as const);

interface OtherCellsPorts {
  readonly sql: SqlStorage;
  readonly cells: Cells;
  /** This cell itself, where it is the one to be asked. */
  readonly self: LedgerContract;
  readonly inForce: InForceWatch;
  readonly tunables: Tunables;
}

/** One cell's dealings with the others. */
export class OtherCells {
  readonly #cell: number;
  readonly #ports: OtherCellsPorts;
  readonly #catalogue: CellDelivery;
  readonly #endedUsers: CellDelivery;

  constructor(cell: number, ports: OtherCellsPorts) {
    this.#cell = cell;
    this.#ports = ports;
    const { sql, cells, inForce } = ports;
    this.#catalogue = new CellDelivery({
      latestSeq: () => catalogueSeq(sql),
      cellsBehind: () => cellsBehind(sql, cells.count, HOME_CELL),
      deliver: (to) => this.#deliverCatalogue(to),
      arrivedEverywhere: (seq) => inForce.confirmedByCells("catalogue", seq),
    });
    this.#endedUsers = new CellDelivery({
      latestSeq: () => latestEndedUserSeq(sql),
      cellsBehind: () => cellsUntold(sql, cells.count, HOME_CELL),
      deliver: (to) => this.#deliverEndedUsers(to),
      arrivedEverywhere: (seq) => inForce.confirmedByCells("endedUsers", seq),
    });
  }

  /** Whether some cell has not confirmed what this one, the home cell, has for all. */
  get isBehind(): boolean {
    const { sql, cells } = this.#ports;
    return (
      this.#cell === HOME_CELL && cellsBehind(sql, cells.count, HOME_CELL).length + cellsUntold(sql, cells.count, HOME_CELL).length > 0
    );
  }

  /** Brings to every cell what it lacks, as far as it can be reached. */
  async bringAll(): Promise<void> {
    if (this.#cell === HOME_CELL) await Promise.all([this.#catalogue.run(), this.#endedUsers.run()]);
  }

  /** Whether what such a command does has arrived in every cell; true for commands that concern one cell alone. */
  async bring(command: Command): Promise<boolean> {
    if (command.type === "end_user") return this.#endedUsers.run();
    const isOfOneOrganization = "organization_id" in command && command.organization_id !== undefined;
    return isOfOneOrganization || !CATALOGUE_COMMANDS.has(command.type) || this.#catalogue.run();
  }

  /** What speaks against a command in other cells, or that one of them cannot be asked, before it is carried out in this one; null for nothing. */
  async objectionTo({ command, actor }: Pick<CommandEnvelope, "command" | "actor">): Promise<Refusal | null> {
    const { sql, cells } = this.#ports;
    const claim = externalIdIn(command);
    if (claim !== null) return orUnreachable(this.#claim(claim), CANNOT_BE_TOLD);
    if (command.type === "delete_role" && command.organization_id === undefined)
      return orUnreachable(this.#assignmentsElsewhere(command.slug), CANNOT_BE_TOLD);
    return orUnreachable(
      this.#answer(objectionToKeyRequest(sql, this.#ledger(cells.cellOf(PLATFORM_ORGANIZATION_ID)), command, actor)),
      CANNOT_BE_TOLD,
    );
  }

  /**
   * The command with the admins who may be behind the platform key that sends it, where the policy on keys asks for them; as it was where they
   * cannot be asked for, and then the policy lets nothing pass.
   */
  async knowingAdmins(envelope: CommandEnvelope): Promise<CommandEnvelope> {
    const keyId = keyToAskAbout(this.#ports.sql, envelope);
    const known = keyId === null ? null : await orUnreachable(this.adminsBehind([keyId]), null);
    const admins = keyId === null ? undefined : known?.[keyId];
    return admins ? { ...envelope, actor: { ...envelope.actor, admins } } : envelope;
  }

  /** The roles of the admins behind each platform key, as the platform organization's cell knows. */
  async adminsBehind(keyIds: readonly string[]): Promise<Readonly<Record<string, readonly AdminRoles[]>>> {
    return this.#answer(this.#ledger(this.#ports.cells.cellOf(PLATFORM_ORGANIZATION_ID)).adminsBehind(keyIds));
  }

  /** In the home cell: names the organization for the external id, unless the one that is named for it holds it. Null: that one cannot be asked. */
  async claimExternalId(externalId: string, organizationId: string): Promise<boolean | null> {
    return orUnreachable(this.#claimExternalId(externalId, organizationId), null);
  }

  async #claimExternalId(externalId: string, organizationId: string): Promise<boolean> {
    const { sql, cells } = this.#ports;
    for (;;) {
      const holder = externalIdHolder(sql, externalId);
      const isOther = holder !== null && holder !== organizationId;
      if (isOther && (await this.#answer(this.#ledger(cells.cellOf(holder)).holdsExternalId(holder, externalId)))) return false;
      if (giveExternalId(sql, externalId, organizationId, holder)) return true;
    }
  }

  async #claim({ externalId, organizationId }: ExternalIdClaim): Promise<Refusal | null> {
    const may = await this.#answer(this.#ledger(HOME_CELL).claimExternalId(externalId, organizationId));
    if (may === null) return CANNOT_BE_TOLD;
    if (may) return null;
    return { code: "external_id_already_used", message: "Another organization has this external id.", field: "external_id" };
  }

  async #assignmentsElsewhere(slug: string): Promise<Refusal | null> {
    const counts = await this.#answer(this.#ports.cells.everywhere((ledger) => ledger.roleAssignments(slug)));
    const members = counts.reduce((sum, count) => sum + count, 0);
    if (members === 0) return null;
    return { code: "role_has_assignments", message: `${members} members have this role. Give them another one first.` };
  }

  async #deliverCatalogue(cell: number): Promise<void> {
    const { sql } = this.#ports;
    const current = catalogueOf(sql);
    await withDeadline(this.#ledger(cell).mirrorCatalogue(current), this.#inForceDeadlineMs());
    confirmMirror(sql, cell, current.homeSeq);
  }

  async #deliverEndedUsers(cell: number): Promise<void> {
    const { sql } = this.#ports;
    for (let users = undeliveredUsers(sql, cell); users.length > 0; users = undeliveredUsers(sql, cell)) {
      await withDeadline(this.#ledger(cell).endUsers(users), this.#inForceDeadlineMs());
      confirmUserEndings(sql, cell, Math.max(...users.map(({ home_seq }) => home_seq)));
    }
  }

  /** A cell answers when its replicas have: at worst, when their leases have run out. */
  #inForceDeadlineMs(): number {
    return worstCaseOf(this.#ports.tunables).revocationWithDeadReplicaMs + ANSWER_MS;
  }

  #answer<Answer>(asked: Promise<Answer>): Promise<Answer> {
    return withDeadline(asked, ANSWER_MS);
  }

  #ledger(cell: number): LedgerContract {
    return cell === this.#cell ? this.#ports.self : this.#ports.cells.ledger(cell);
  }
}

/** Nothing has been done, and asking again may help. */
const CANNOT_BE_TOLD: Refusal = {
  code: "temporarily_unavailable",
  message: "Another cell has to be asked first and cannot be reached. Nothing was changed. Send the request again.",
};

/** The answer, or `otherwise` where a cell gave none. */
async function orUnreachable<Answer, Otherwise>(asked: Promise<Answer>, otherwise: Otherwise): Promise<Answer | Otherwise> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof DeadlineError || error instanceof LedgerUnreachableError) return otherwise;
    throw error;
  }
}

/** An external id that an organization is to have. */
interface ExternalIdClaim {
  readonly externalId: string;
  readonly organizationId: string;
}

/** The external id that a command gives to an organization, or null. */
export function externalIdIn(command: Command): ExternalIdClaim | null {
  if (command.type !== "create_organization" && command.type !== "update_organization") return null;
  return command.external_id ? { externalId: command.external_id, organizationId: command.id } : null;
}
