/**
 * Whether two callers of the control plane may be one person. A platform key may be used by whoever made it or rotated it, for they were
 * given its secret, and by whoever made or rotated their key. The installation's first key made all others in the end, so having only it in
 * common says nothing; using it does.
 */

/** A caller, who made it or rotated it, and so on, by id. */
export interface Lineage {
  readonly caller: string;
  /** The nearest first. */
  readonly makers: readonly string[];
  /** The installation's first key, if it is the caller or among the makers. */
  readonly first: string | null;
}

/** Whether one of them had the other in hand, over any number of keys, or the same caller had both. */
export function mayBeOnePerson(one: Lineage, other: Lineage): boolean {
  const [ones, others] = [one, other].map(({ caller, makers }) => [caller, ...makers]);
  const shared = ones?.filter((id) => others?.includes(id)) ?? [];
  return shared.some((id) => id !== one.first || id === one.caller || id === other.caller);
}
