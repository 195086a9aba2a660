/** Whether KV says what the ledger says, looked at in KV itself: asking the gateway would mend it. */
import { setTimeout as sleep } from "node:timers/promises";
import { hmacSha256 } from "../../core/digest.ts";
import { readPublished } from "../../core/published.ts";
import { parseRecord, recordName } from "../../core/record.ts";
import { TOKEN_ID_LENGTH } from "../../core/token.ts";
import { faultsOf, isDigestOf, sameSet } from "./audit.ts";
import type { KillableSystem } from "./killable-system.ts";
import { describeKey, expectedState, type TrackedKey } from "./load.ts";

/** Not a promise about time: only so that a record which never comes ends the test. */
const HANG_MS = 90_000;
const LOOK_AGAIN_MS = 200;

/** The part of a token that names its record. */
export function tokenIdOf(value: string): string {
  return value.slice("pc_live_".length, "pc_live_".length + TOKEN_ID_LENGTH);
}

/** Looks until KV agrees with every key whose state is known, and answers what still does not when it has had ample time. */
export async function kvFaults(system: KillableSystem, keys: readonly TrackedKey[]): Promise<string[]> {
  const deadline = Date.now() + HANG_MS;
  let behind = keys.filter((key) => key.issued && expectedState(key) !== "either");
  for (;;) {
    const still = new Set<TrackedKey>();
    const faults = await faultsOf(behind, async (key) => {
      const fault = await kvFault(system, key);
      if (fault === undefined) return [];
      still.add(key);
      return [`KV did not converge: ${describeKey(key)}: ${fault}`];
    });
    if (faults.length === 0 || Date.now() > deadline) return faults;
    behind = [...still];
    await sleep(LOOK_AGAIN_MS);
  }
}

/** Names in KV that belong to none of these tokens. */
export async function strayNames(system: KillableSystem, tokens: readonly string[]): Promise<string[]> {
  const known = new Set(tokens.map((value) => recordName(tokenIdOf(value))));
  const stray: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await (await system.keys()).list({ prefix: recordName(""), ...(cursor !== undefined && { cursor }) });
    stray.push(...page.keys.filter(({ name }) => !known.has(name)).map(({ name }) => `KV holds ${name}, which is no key's record`));
    cursor = page.list_complete ? undefined : page.cursor;
  } while (cursor !== undefined);
  return stray;
}

async function kvFault(system: KillableSystem, key: TrackedKey): Promise<string | undefined> {
  const tokenId = tokenIdOf(key.issued?.value ?? "");
  const name = recordName(tokenId);
  const text = await (await system.keys()).get(name, "text");
  if (text === null) return `nothing under ${name}`;
  const record = parseRecord(readPublished(name, text, system.tagKeys, hmacSha256), tokenId);
  if (!record) return `not a signed record under ${name}`;
  if (expectedState(key) === "dead") return record.state === "revoked" ? undefined : `still active under ${name}`;
  if (record.state === "revoked") return `a tombstone under ${name}`;
  const agrees = record.key_id === key.issued?.id && isDigestOf(record.sha256, key) && sameSet(record.permissions, key.permissions);
  return agrees ? undefined : `another key's record, or other permissions, under ${name}`;
}
