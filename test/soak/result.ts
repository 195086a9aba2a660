/** What came of a soak, and what of it is not as it should be. */
import type { FaultName } from "./faults.ts";
import type { Verdict } from "./judge.ts";
import type { Course } from "./memory.ts";
import type { Sent } from "./oracle.ts";
import type { SoakRoute } from "./world.ts";

/** Everything that a run has shown. */
export interface SoakResult {
  readonly seed: number;
  readonly seconds: number;
  readonly tally: Tally;
  readonly changes: { readonly acknowledged: number; readonly repeated: number; readonly unexplained: readonly string[] };
  readonly faults: ReadonlyMap<FaultName, number>;
  readonly limits: {
    readonly breaches: readonly string[];
    readonly counts: (kind: NonNullable<SoakRoute["limit"]>) => { readonly asked: number; readonly admitted: number };
  };
  readonly memory: ReadonlyMap<string, Course>;
  readonly brokenChains: readonly number[];
}

/** Examples that are kept of each thing that is wrong. */
const EXAMPLES_MAX = 5;
/** By how many megabytes memory may rise over the second half: gateways after garbage collection, the rest with garbage. */
const RISE_MAX_MB = { gateway: 4, other: 48 } as const;

/** All verdicts, counted. */
export class Tally {
  readonly outcomes = new Map<string, number>();
  /** Errors that faults explain, by outcome and faults. */
  readonly explained = new Map<string, number>();
  readonly examples: string[] = [];
  /** What is not as it should be, by how it is not and by outcome. */
  readonly faults = new Map<string, number>();
  requests = 0;
  wrong = 0;
  unexplained = 0;
  readonly #told: (line: string) => void;

  /** `told` hears of each example at once. */
  constructor(told: (line: string) => void) {
    this.#told = told;
  }

  readonly judged = (sent: Sent, { outcome, kind, detail }: Verdict, at: number): void => {
    this.requests += 1;
    count(this.outcomes, outcome);
    if (kind === "explained") count(this.explained, `${outcome}: ${detail}`);
    if (kind === "right" || kind === "explained") return;
    this[kind] += 1;
    const fault = `${kind}: ${outcome}`;
    count(this.faults, fault);
    if ((this.faults.get(fault) ?? 0) > EXAMPLES_MAX) return;
    const example = `${new Date().toISOString()} ${fault}: ${describe(sent)} at gateway ${at}: ${detail}`;
    this.examples.push(example);
    this.#told(example);
  };

  /** How it goes. */
  line(): string {
    return `${this.requests} requests, ${this.wrong} wrong, ${this.unexplained} unexplained`;
  }
}

/** What is not as it should be, in words; nothing if all is well. */
export function faultsOf({ tally, changes, limits, memory, brokenChains }: SoakResult): string[] {
  const leaks = [...memory].flatMap(([name, { riseMb }]) => {
    const most = name.startsWith("gateway") ? RISE_MAX_MB.gateway : RISE_MAX_MB.other;
    return riseMb <= most ? [] : [`the memory of ${name} rose by ${riseMb.toFixed(1)} MB over the second half; ${most} is the most`];
  });
  return [
    ...(tally.wrong > 0 ? [`${tally.wrong} wrong decisions`] : []),
    ...(tally.unexplained > 0 ? [`${tally.unexplained} errors that nothing explains`] : []),
    ...tally.examples,
    ...changes.unexplained.map((each) => `an error of the control plane that nothing explains: ${each}`),
    ...limits.breaches.map((each) => `limit exceeded: ${each}`),
    ...brokenChains.map((cell) => `the hash chain of cell ${cell} is broken`),
    ...leaks,
  ];
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** Ids only: no secret gets into a report. */
function describe({ path, presented }: Sent): string {
  if (presented.kind !== "key") return `${path} with ${presented.kind}`;
  const { key, secret } = presented;
  return `${path} with secret ${key.secrets.indexOf(secret) + 1} of ${key.secrets.length} of ${key.id}${key.membership ? " of a member" : ""}`;
}
