/**
 * External ids of organizations: no two organizations of the installation have the same, though each lives in a cell of its own. The
 * home cell keeps, for each external id, the organization that may have it; the organization's cell asks for it before it commits.
 *
 * Invariant: an organization has an external id only while the home cell names it for that. What the home cell says may outlive
 * its use: the organization ended, took another, or its commit never came. So before it gives an id to somebody else it asks the
 * cell of the one it names, and gives it away only if that organization neither has the id nor is about to commit it. What is about
 * to be committed is known in memory alone: an instance of the cell that has been superseded can commit nothing.
 */

/** The organization that an external id is meant for, or null. Only the home cell knows. */
export function externalIdHolder(sql: SqlStorage, externalId: string): string | null {
  const rows = sql
    .exec<{ organization_id: string }>("SELECT organization_id FROM organization_external_ids WHERE external_id = ?", externalId)
    .toArray();
  return rows[0]?.organization_id ?? null;
}

/** In the home cell: names an organization for an external id, in place of the one that was found there (null: nobody). Whether it is so. */
export function giveExternalId(sql: SqlStorage, externalId: string, to: string, inPlaceOf: string | null): boolean {
  if (externalIdHolder(sql, externalId) !== inPlaceOf) return false;
  sql.exec("INSERT OR REPLACE INTO organization_external_ids VALUES (?, ?)", externalId, to);
  return true;
}

/** In an organization's cell: external ids that are about to be committed, and for which organization. */
export class ExternalIdsUnderway {
  readonly #sql: SqlStorage;
  readonly #underway = new Map<string, { readonly organizationId: string; readonly ended: Promise<unknown> }>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Whether the organization has the external id or may be about to. */
  holds(organizationId: string, externalId: string): boolean {
    if (this.#underway.get(externalId)?.organizationId === organizationId) return true;
    return this.#sql.exec("SELECT 1 FROM organizations WHERE id = ? AND external_id = ?", organizationId, externalId).toArray().length > 0;
  }

  /** Runs a commit with the claim that goes before it; another one for the same external id waits until this has ended. */
  async during<Result>(externalId: string, organizationId: string, run: () => Promise<Result>): Promise<Result> {
    for (let other = this.#underway.get(externalId); other; other = this.#underway.get(externalId)) await other.ended;
    const running = run();
    const ended = running.catch(() => undefined).finally(() => this.#underway.delete(externalId));
    this.#underway.set(externalId, { organizationId, ended });
    return running;
  }
}
