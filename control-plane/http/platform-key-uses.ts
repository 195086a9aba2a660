/**
 * When platform keys were last used, and for what: told to their cell after the answer, and by one isolate only so often. A cell that cannot
 * be told takes nothing from the call.
 */
import { LRUCache } from "lru-cache";
import type { Cells } from "../cells.ts";
import type { KeyUses } from "../ledger/key-uses.ts";
import type { Caller } from "./caller.ts";
import type { Access } from "./endpoint.ts";

/** Milliseconds for which one isolate does not tell the same again. */
const TOLD_FOR_MS = 20_000;
/** Keys with a permission each that are remembered to have been told. */
const REMEMBERED_MAX = 10_000;

interface Ports {
  readonly cells: Cells;
  readonly now: () => number;
  /** Lets work go on after the answer. */
  readonly waitUntil: (work: Promise<unknown>) => void;
}

/** One isolate's telling. */
export class PlatformKeyUses {
  readonly #ports: Ports;
  readonly #toldAtMs = new LRUCache<string, number>({ max: REMEMBERED_MAX });

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** A caller was admitted to what has this access. */
  note({ secret, actor }: Caller, access: Access): void {
    if (!secret) return;
    const { cells, now, waitUntil } = this.#ports;
    const nowMs = now();
    const what = `${secret.tokenId} ${access}`;
    if (nowMs - (this.#toldAtMs.get(what) ?? 0) < TOLD_FOR_MS) return;
    this.#toldAtMs.set(what, nowMs);
    const permissions = access === "any_platform_key" ? [] : [{ key_id: actor.id, permission: access, at_ms: nowMs }];
    const uses: KeyUses = { secrets: [{ token_id: secret.tokenId, at_ms: nowMs }], permissions };
    waitUntil(
      cells
        .ledger(secret.cell)
        .noteUses(uses)
        .catch(() => this.#toldAtMs.delete(what)),
    );
  }
}
