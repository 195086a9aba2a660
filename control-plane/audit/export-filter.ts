/** Which lines of an audit log somebody wants. Of a customer's own event what the customer told counts, of all others what the entry says itself. */
import { customerEntryType, CUSTOMER_PREFIX, objectKindOf } from "../../core/event.ts";
import type { CustomerEvent } from "../ledger/customer-events.ts";
import type { ExportFilter } from "../ledger/command.ts";
import type { AuditExportLine } from "../ledger/audit-view.ts";

/** What a filter looks at. */
interface Seen {
  readonly types: readonly string[];
  readonly actorId: string;
  readonly actorName: string | undefined;
  readonly targets: readonly string[];
}

/** Whether a line meets a filter. A line without content meets only one that asks for nothing. */
export function isWanted(filter: ExportFilter): (line: AuditExportLine) => boolean {
  const { actions, actor_ids, actor_names, targets } = filter;
  if (!actions && !actor_ids && !actor_names && !targets) return () => true;
  return (line) => {
    if ("content" in line) return false;
    const seen = seenIn(line);
    return (
      (!actions || seen.types.some((type) => actions.includes(type))) &&
      (!actor_ids || actor_ids.includes(seen.actorId)) &&
      (!actor_names || (seen.actorName !== undefined && actor_names.includes(seen.actorName))) &&
      (!targets || seen.targets.some((target) => targets.includes(target)))
    );
  };
}

function seenIn({ type, actor, payload }: Exclude<AuditExportLine, { content: string }>): Seen {
  if (!type.startsWith(CUSTOMER_PREFIX)) return { types: [type], actorId: actor.id, actorName: undefined, targets: [objectKindOf(type)] };
  const told = payload as unknown as CustomerEvent;
  return {
    types: [told.action, customerEntryType(told.action)],
    actorId: told.actor.id,
    actorName: told.actor.name,
    targets: told.targets.map((target) => target.type),
  };
}
