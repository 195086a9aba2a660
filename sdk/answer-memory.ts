/** What the control plane said of keys, for as long as the operator accepts to go by it. By default it remembers nothing. */
import type { Principal } from "./principal.ts";

const KEPT_MAX = 10_000;

interface Remembered {
  readonly principal: Principal;
  /** By the monotonic clock, which nobody sets back. */
  readonly askedAtMs: number;
}

/** Only keys that were accepted are remembered: a new one must work at once, whoever tried it before it existed. */
export class AnswerMemory {
  readonly #maxStalenessMs: number;
  readonly #remembered = new Map<string, Remembered>();

  constructor(maxStalenessMs: number) {
    this.#maxStalenessMs = maxStalenessMs;
  }

  /** The answer to a question: a remembered one, if it was asked recently enough, or a new one. */
  async recall(question: readonly string[], ask: () => Promise<Principal | null>): Promise<Principal | null> {
    if (this.#maxStalenessMs === 0) return ask();
    const name = await digestOf(question);
    const askedAtMs = performance.now();
    const remembered = this.#remembered.get(name);
    if (remembered && askedAtMs - remembered.askedAtMs < this.#maxStalenessMs) return remembered.principal;
    this.#remembered.delete(name);
    const principal = await ask();
    if (principal) this.#remember(name, { principal, askedAtMs });
    return principal;
  }

  #remember(name: string, answer: Remembered): void {
    const [oldest] = this.#remembered.keys();
    if (oldest !== undefined && this.#remembered.size >= KEPT_MAX) this.#remembered.delete(oldest);
    this.#remembered.set(name, answer);
  }
}

/** Of a key only its digest is kept. */
async function digestOf(question: readonly string[]): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(question)));
  return String.fromCharCode(...new Uint8Array(digest));
}
