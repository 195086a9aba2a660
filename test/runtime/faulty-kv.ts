/**
 * Faults of the platform's KV that the local one never shows: it is always fresh, never refuses and never forgets.
 * Everything behind these switches is the real local KV.
 */

/** What KV does at the moment; tests set it and put it back. */
export const kvFaults = {
  /** Puts never arrive: KV keeps whatever it has. */
  putsRefused: false,
  /** Puts arrive, and nobody is ever told. */
  putsUnanswered: false,
  /** A put of a name within a second of the last one that arrived is refused, as on the platform. */
  putsLimited: false,
  /** Reads answer as if the name did not exist. */
  readsMiss: false,
  /** Reads throw. */
  readsRefused: false,
  gets: 0,
  /** Names and times of all puts as they began, oldest first. */
  begun: [] as { readonly name: string; readonly atMs: number }[],
  /** Those that arrived. */
  arrived: [] as { readonly name: string; readonly atMs: number; readonly value: string }[],
};

const PUT_INTERVAL_MS = 1_000;

/** Puts all switches back. */
export function healKv(): void {
  const switches = { putsRefused: false, putsUnanswered: false, putsLimited: false, readsMiss: false, readsRefused: false };
  Object.assign(kvFaults, { ...switches, gets: 0, begun: [], arrived: [] });
}

/** The real namespace behind the switches. */
export function faultyKv(kv: KVNamespace): KVNamespace {
  return new Proxy(kv, {
    get(target, property) {
      if (property === "put") return (name: string, value: string) => put(target, name, value);
      if (property === "get") return (name: string, options: KVNamespaceGetOptions<"text">) => get(target, name, options);
      const member: unknown = Reflect.get(target, property);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

async function put(kv: KVNamespace, name: string, value: string): Promise<void> {
  const atMs = Date.now();
  kvFaults.begun.push({ name, atMs });
  const previous = kvFaults.arrived.findLast((each) => each.name === name);
  const isTooEarly = kvFaults.putsLimited && previous !== undefined && atMs < previous.atMs + PUT_INTERVAL_MS;
  if (kvFaults.putsRefused || isTooEarly) throw new Error("KV PUT failed: 429 Too Many Requests");
  await kv.put(name, value);
  kvFaults.arrived.push({ name, atMs: Date.now(), value });
  if (kvFaults.putsUnanswered) await new Promise(() => {});
}

async function get(kv: KVNamespace, name: string, options: KVNamespaceGetOptions<"text">): Promise<string | null> {
  kvFaults.gets += 1;
  if (kvFaults.readsRefused) throw new Error("KV GET failed: 503");
  return kvFaults.readsMiss ? null : kv.get(name, options);
}
