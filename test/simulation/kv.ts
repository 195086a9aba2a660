/** KV as it is at its worst: each region sees writes late, forgets them, or shows an old value after a newer one; it fails. */
import type { Random } from "../random.ts";
import type { Coverage } from "./coverage.ts";
import type { Engine } from "./engine.ts";

/** How bad it is. Shares from 0 to 1. */
export interface KvFaults {
  readonly failures: number;
  /** Reads that answer as if the name had never been written. */
  readonly misses: number;
  /** Reads that show any older value. */
  readonly regressions: number;
  /** Until a write can be seen. */
  readonly lagMsMax: number;
}

interface Version {
  readonly value: unknown;
  readonly visibleAtMs: number;
}

/** A read's outcome; undefined: it failed. */
type KvRead = { readonly value: unknown } | undefined;

export class Kv {
  readonly #engine: Engine;
  readonly #random: Random;
  readonly #coverage: Coverage;
  readonly #versions = new Map<string, Version[]>();
  faults: KvFaults;
  /** Reads so far. */
  reads = 0;

  constructor(engine: Engine, random: Random, coverage: Coverage, faults: KvFaults) {
    this.#engine = engine;
    this.#random = random;
    this.#coverage = coverage;
    this.faults = faults;
  }

  /** Writes a value that nobody may see for a while. */
  put(name: string, value: unknown): void {
    const visibleAtMs = this.#engine.nowMs + this.#random.next() * this.faults.lagMsMax;
    this.#versions.set(name, [...(this.#versions.get(name) ?? []), { value, visibleAtMs }]);
  }

  /** Reads whatever is to be seen. */
  read(name: string): KvRead {
    this.reads += 1;
    if (this.#random.chance(this.faults.failures)) {
      this.#coverage.hit("kv: failed");
      return undefined;
    }
    const visible = (this.#versions.get(name) ?? []).filter(({ visibleAtMs }) => visibleAtMs <= this.#engine.nowMs);
    if (visible.length > 0 && this.#random.chance(this.faults.misses)) {
      this.#coverage.hit("kv: miss although written");
      return { value: undefined };
    }
    if (visible.length > 1 && this.#random.chance(this.faults.regressions)) {
      this.#coverage.hit("kv: old value after a newer one");
      return { value: this.#random.pick(visible.slice(0, -1))?.value };
    }
    return { value: visible.at(-1)?.value };
  }
}
