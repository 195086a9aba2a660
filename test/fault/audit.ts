/** Compares the system with what its clients know. Every function answers faults in words; none is good. */
import { sha256Hex } from "../../core/digest.ts";
import { callApi, type Json } from "../../local/api-client.ts";
import { describeKey, expectedState, type Target, type TrackedKey } from "./load.ts";

/** Cells of the installation. */
const CELLS = 16;
const LANES = 12;

/** Does the same for all items, a few at a time, and gathers what was found. */
export async function faultsOf<Item>(items: Iterable<Item>, inspect: (item: Item) => Promise<readonly string[]>): Promise<string[]> {
  const waiting = [...items];
  const faults: string[] = [];
  const lane = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) faults.push(...(await inspect(item)));
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return faults;
}

/** What the gateway lets through. Revoked keys go first: none may slip in before the system has come to itself. */
export function gatewayFaults({ system }: Target, keys: readonly TrackedKey[]): Promise<string[]> {
  const revokedFirst = keys.toSorted((a, b) => Number(expectedState(b) === "dead") - Number(expectedState(a) === "dead"));
  return faultsOf(revokedFirst, async (key) => {
    if (!key.issued) return [];
    const response = await fetch(new URL("/orders", system.gateway), { headers: { Authorization: `Bearer ${key.issued.value}` } });
    await response.text();
    const state = response.status === 200 ? "live" : response.status === 401 ? "dead" : undefined;
    return stateFaults(key, state, `the gateway answered ${response.status}`);
  });
}

/** What the control plane says of the tokens themselves. */
export function validationFaults({ system, adminKey }: Target, keys: readonly TrackedKey[]): Promise<string[]> {
  return faultsOf(keys, async (key) => {
    if (!key.issued) return [];
    const { value, id } = key.issued;
    const found = (await callApi(system.controlPlane, adminKey, "POST", "/api_keys/validations", { value }))["api_key"] as Json | null;
    if (found && found["id"] !== id) return [`${describeKey(key)} validates as ${String(found["id"])}`];
    if (found && !sameSet(found["permissions"] as string[], key.permissions))
      return [`${describeKey(key)} validates with the permissions ${String(found["permissions"])}`];
    return stateFaults(key, found ? "live" : "dead", `validation says ${found ? "valid" : "invalid"}`);
  });
}

/** What is listed: everything that must be, nothing that nobody asked for, nothing twice. */
export function listingFaults(target: Target, keys: readonly TrackedKey[]): Promise<string[]> {
  return faultsOf(target.organizationIds, async (organizationId) => {
    const listed = await listAll(target, `/organizations/${organizationId}/api_keys`);
    const idsByName = Map.groupBy(listed, ({ name }) => String(name));
    const own = new Map(keys.filter((key) => key.organizationId === organizationId).map((key) => [key.name, key]));
    const unexpected = [...idsByName.keys()].filter((name) => !own.has(name)).map((name) => `nobody asked for the listed key ${name}`);
    const wrong = [...own.values()].flatMap((key) => listedKeyFaults(key, idsByName.get(key.name)?.map(({ id }) => String(id)) ?? []));
    return [...unexpected, ...wrong];
  });
}

/** The hash chain of every cell. */
export function chainFaults({ system, adminKey }: Target): Promise<string[]> {
  return faultsOf(Array.from({ length: CELLS }).keys(), async (cell) => {
    const { broken_at } = await callApi(system.controlPlane, adminKey, "GET", `/ledger/${cell}/verify`);
    return broken_at === null ? [] : [`the hash chain of cell ${cell} is broken at ${JSON.stringify(broken_at)}`];
  });
}

/** The entries themselves, when no command is unknown any more: one creation per key, one revocation per revoked key. */
export async function entryFaults(target: Target, keys: readonly TrackedKey[]): Promise<string[]> {
  const found = new Map<string, number>();
  for (let cell = 0; cell < CELLS; cell += 1) {
    for (const { type, payload } of await allEntries(target, cell)) {
      const { id, name, organization_id } = payload as Json;
      const line = `${String(type)} ${String(id)} ${String(name)}`;
      if (target.organizationIds.includes(String(organization_id))) found.set(line, (found.get(line) ?? 0) + 1);
    }
  }
  const expected = keys.flatMap((key) => {
    const created = `api_key.created ${key.issued?.id ?? "?"} ${key.name}`;
    return key.revocation === "none" ? [created] : [created, `api_key.revoked ${key.issued?.id ?? "?"} ${key.name}`];
  });
  const missing = expected.filter((line) => !found.has(line)).map((line) => `no entry: ${line}`);
  const doubled = [...found].filter(([, times]) => times > 1).map(([line, times]) => `${times} entries: ${line}`);
  const known = new Set(expected);
  const unexpected = [...found.keys()].filter((line) => !known.has(line)).map((line) => `nobody asked for: ${line}`);
  return [...missing, ...doubled, ...unexpected];
}

/** Whether a token's SHA-256 is the one given. */
export function isDigestOf(digest: string, key: TrackedKey): boolean {
  return key.issued !== undefined && sha256Hex(key.issued.value) === digest;
}

/** The same members, in any order. */
export function sameSet(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && other.every((member) => one.includes(member));
}

/** Judges a state against what the client knows; what was seen of an unknown revocation must stay so. */
function stateFaults(key: TrackedKey, state: "live" | "dead" | undefined, saying: string): string[] {
  const expected = expectedState(key);
  if (state !== undefined && expected === "either") {
    key.wasSeenRevoked = state === "dead";
    return [];
  }
  return state === expected ? [] : [`${describeKey(key)} should be ${expected}: ${saying}`];
}

function listedKeyFaults(key: TrackedKey, ids: readonly string[]): string[] {
  if (ids.length > 1) return [`DOUBLED: ${describeKey(key)} is listed as ${ids.join(", ")}`];
  const [id] = ids;
  const known = key.issued?.id ?? key.seenId;
  if (known === undefined) {
    key.seenId = id;
    return [];
  }
  if (id !== undefined && id !== known) return [`${describeKey(key)} is listed as ${id}`];
  return stateFaults(key, id === undefined ? "dead" : "live", id === undefined ? "it is not listed" : "it is listed");
}

async function listAll({ system, adminKey }: Target, path: string): Promise<Json[]> {
  const all: Json[] = [];
  for (let after: string | null = ""; after !== null;) {
    const page = await callApi(system.controlPlane, adminKey, "GET", `${path}?limit=100${after === "" ? "" : `&after=${after}`}`);
    all.push(...(page["data"] as Json[]));
    after = (page["list_metadata"] as { readonly after: string | null }).after;
  }
  return all;
}

async function allEntries({ system, adminKey }: Target, cell: number): Promise<Json[]> {
  const all: Json[] = [];
  for (;;) {
    const { data } = await callApi(system.controlPlane, adminKey, "GET", `/ledger/${cell}/entries?after=${all.length}`);
    if ((data as Json[]).length === 0) return all;
    all.push(...(data as Json[]));
  }
}
