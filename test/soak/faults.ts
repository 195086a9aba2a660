/** What is made to go wrong, whom it befalls, and what it explains. Plain data, for Node and for the Workers alike. */

/** One kind of fault. */
export interface Fault {
  /** Codes of the gateway's refusals that it explains, where the request was good otherwise. */
  readonly explains: readonly string[];
  /** Whether the control plane may say 503 meanwhile. */
  readonly delaysChanges?: true;
  /** Whether the upstream may say 500, and whether the body of an answer may break off. */
  readonly upstreamSays500?: true;
  readonly breaksBodies?: true;
  /** Whether it befalls every upstream. */
  readonly isEverywhere?: true;
  /** Whether units that limiters had leased may be lost for good. */
  readonly losesUnits?: true;
  /** For how long after its end, in ms, it explains: as long as a question may take that was asked before. */
  readonly aftermathMs: number;
}

/** Longer than a request is kept waiting for a cell (5 s), with a question to the replica before it. */
const LEDGER_AFTERMATH_MS = 9_000;
/** An isolate remembers for 10 s that a limiter was silent, which it may have noticed 2 s after the end. */
const LIMITER_AFTERMATH_MS = 13_000;
const UPSTREAM_AFTERMATH_MS = 1_000;

const ledger = { explains: ["ledger_unreachable"], delaysChanges: true, aftermathMs: LEDGER_AFTERMATH_MS } as const;
const limiter = { explains: ["limiter_unreachable"], losesUnits: true, aftermathMs: LIMITER_AFTERMATH_MS } as const;
/** KV is a shortcut: whatever it does changes nothing but how long answers take. */
const harmless = { explains: [], aftermathMs: 0 } as const;

const declared = {
  kv_reads_fail: harmless,
  /** Longer than a gateway waits for KV. */
  kv_reads_slow: harmless,
  kv_reads_miss: harmless,
  /** Nothing is published any more, so what is read is old. */
  kv_writes_fail: harmless,
  /** Cells answer neither a replica that wants a lease nor a gateway that wants a record. */
  cells_hang: ledger,
  /** Cells die before a command, or after it, before they have answered; and in their alarm. */
  cells_restart: ledger,
  replicas_fail: ledger,
  replicas_hang: ledger,
  replicas_restart: ledger,
  /** Replicas do not take what cells push, so changes wait for their leases to run out. */
  pushes_fail: ledger,
  limiters_fail: limiter,
  limiters_hang: limiter,
  limiters_restart: limiter,
  upstream_down: { explains: ["upstream_unreachable"], breaksBodies: true, aftermathMs: UPSTREAM_AFTERMATH_MS },
  upstream_fails: { explains: [], upstreamSays500: true, aftermathMs: UPSTREAM_AFTERMATH_MS },
  upstream_slow: { explains: ["upstream_timeout"], aftermathMs: UPSTREAM_AFTERMATH_MS },
  upstream_closes: { explains: ["upstream_unreachable"], breaksBodies: true, aftermathMs: UPSTREAM_AFTERMATH_MS },
  /** A connection that is reset takes with it what has arrived and was not read yet, the head of the answer too. */
  upstream_cuts: { explains: ["upstream_unreachable"], breaksBodies: true, aftermathMs: UPSTREAM_AFTERMATH_MS },
  /** Not made, but noticed: the operating system gave the processes no time, so that whatever has a time limit may have run out of it. */
  machine_stood_still: {
    explains: ["ledger_unreachable", "limiter_unreachable", "upstream_timeout"],
    delaysChanges: true,
    losesUnits: true,
    isEverywhere: true,
    aftermathMs: LIMITER_AFTERMATH_MS,
  },
} satisfies Record<string, Fault>;

/** A fault by name. */
export type FaultName = keyof typeof declared;

/** All faults. */
export const FAULTS: Readonly<Record<FaultName, Fault>> = declared;

/** The faults that are made. */
export const FAULTS_MADE = (Object.keys(declared) as FaultName[]).filter((name) => name !== "machine_stood_still");
