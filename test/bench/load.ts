/** Puts load on an address from a process of its own. */
import { fork, type ChildProcess } from "node:child_process";
import path from "node:path";
import type { Order, Outcome } from "./load-generator.ts";

/** The load generator, kept warm from one spell to the next. */
export class Load implements Disposable {
  readonly #generator: ChildProcess = fork(path.join(import.meta.dirname, "load-generator.ts"));

  /** Runs one spell. One at a time. */
  run(order: Order): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const died = (code: number | null) => reject(new Error(`the load generator ended (${code ?? "signal"})`));
      this.#generator.once("exit", died);
      this.#generator.once("message", (outcome: Outcome) => {
        this.#generator.off("exit", died);
        resolve(outcome);
      });
      this.#generator.send(order);
    });
  }

  [Symbol.dispose](): void {
    this.#generator.kill();
  }
}
