/** Telling an overloaded Durable Object from one that cannot be reached. */

/** What Durable Objects say when they have too much to do: asking again makes it worse. */
export function isOverloaded(error: unknown): boolean {
  return typeof error === "object" && error !== null && "overloaded" in error && error.overloaded === true;
}
