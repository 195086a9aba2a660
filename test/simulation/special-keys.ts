/** Keys of the simulation that are not like the others, told by their ids. */

/** Every fourth comes from elsewhere. */
const IMPORTED_EVERY = 4;
const IMPORTED = "imported-";
/** Every third may be used from where all requests of the simulation come from, and from nowhere else. */
const BOUND_EVERY = 3;

/** Where requests come from. */
export const CLIENT_ADDRESS = "192.0.2.7";
/** A network that they are in. */
export const CLIENTS_NETWORK = "192.0.2.0/24";

/** The id of a key, or of one that nobody made. */
export function keyId(kind: "key" | "ghost", number: number): string {
  return number % IMPORTED_EVERY === 0 ? `${IMPORTED}${kind}-${number}` : `${kind}-${number}`;
}

/** The number of a key that comes from elsewhere; undefined for keys of ours. */
export function importedNumber(key: string): number | undefined {
  return key.startsWith(IMPORTED) ? numberOf(key) : undefined;
}

/** Whether a key is bound to {@link CLIENTS_NETWORK}. */
export function isBound(key: string): boolean {
  return numberOf(key) % BOUND_EVERY === 0;
}

function numberOf(key: string): number {
  return Number(key.slice(key.lastIndexOf("-") + 1));
}
