/** How much longer something takes when there is more, and how much longer it may. */
import { median } from "../bench/statistics.ts";

/** The keys that a page of the report on violations looks at. */
const LOOKED_AT_MAX = 1_000;

/**
 * How the time may grow with what there is. "constant": not at all. "up to 1,000": with the keys that a page looks at, which are no more than
 * that. "proportional": with all of it, for what is asked for names so much (a preview counts it, an ending ends it) or no index can tell (a part of a
 * name).
 */
export type Bound = "constant" | "up to 1,000" | "proportional";

/** Something that is measured. */
export interface Operation {
  readonly name: string;
  readonly bound: Bound;
  /** Does it and answers how many ms it took, without what had to be prepared. */
  readonly run: () => Promise<number>;
  /** It takes long to prepare, and is done in every third round only. */
  readonly isLaborious?: true;
}

/** What an operation took at each size. */
export interface Row {
  readonly name: string;
  readonly bound: Bound;
  readonly medianMs: ReadonlyMap<number, number>;
}

/** A machine that does other things as well makes a median this much worse by itself. */
const NOISE_FACTOR = 8;
/** Below this, in ms, a difference is the machine's. */
const NOISE_MS = 4;

/** The median of each over so many rounds, in which one runs after the other: what else the machine does for a while weighs on all of them. */
export async function measure(operations: readonly Operation[], rounds: number): Promise<Map<Operation, number>> {
  const taken = new Map<Operation, number[]>(operations.map((operation) => [operation, []]));
  for (let round = 0; round < rounds; round++)
    for (const [operation, times] of taken) if (round % 3 === 0 || !operation.isLaborious) times.push(await operation.run());
  return new Map([...taken].map(([operation, times]) => [operation, median(times)]));
}

/** How many times as long as at the smallest size. */
export function growthAt({ medianMs }: Row, size: number): number {
  return Math.max(NOISE_MS, medianMs.get(size) ?? Number.NaN) / Math.max(NOISE_MS, atSmallest(medianMs));
}

/** The most that a growth may be. */
export function growthMax({ bound, medianMs }: Row, size: number): number {
  const smallest = Math.min(...medianMs.keys());
  const more = { constant: 1, "up to 1,000": Math.min(size, LOOKED_AT_MAX) / smallest, proportional: size / smallest };
  return NOISE_FACTOR * more[bound];
}

/** The sizes at which a row grew more than it may. */
export function brokenAt(row: Row): number[] {
  return [...row.medianMs.keys()].filter((size) => !(growthAt(row, size) <= growthMax(row, size)));
}

function atSmallest(medianMs: ReadonlyMap<number, number>): number {
  return medianMs.get(Math.min(...medianMs.keys())) ?? Number.NaN;
}

/** The rows as a Markdown table: median ms at each size, and the growth at the largest. */
export function tableText(title: string, rows: readonly Row[]): string {
  const sizes = [...(rows[0]?.medianMs.keys() ?? [])];
  const largest = Math.max(...sizes);
  const lines = rows.map((row) => [
    row.name,
    ...sizes.map((size) => (row.medianMs.get(size) ?? Number.NaN).toFixed(1)),
    `× ${growthAt(row, largest).toFixed(1)}`,
    row.bound + (brokenAt(row).length > 0 ? ", BROKEN" : ""),
  ]);
  const head = [title, ...sizes.map((size) => size.toLocaleString("en")), "growth", "bound"];
  return [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
