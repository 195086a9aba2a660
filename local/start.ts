/**
 * `npm start`: everything on this machine, seeded and explained. What can be refused at once is looked at before the tools that
 * take seconds to load.
 */
import path from "node:path";
import { ConfigurationError } from "../core/configuration.ts";
import { requireFreePorts } from "./free-ports.ts";
import { DIRECTORY } from "./installation.ts";
import { takeLock } from "./lock.ts";
import { OptionError, startOptions } from "./options.ts";

async function main(): Promise<void> {
  const options = startOptions();
  requireOnlyOne();
  await requireFreePorts(options.ports);
  const { run } = await import("./run.ts");
  await run(options);
}

/** Refuses to run beside another system on the same state. */
function requireOnlyOne(): void {
  const lock = takeLock(DIRECTORY);
  if (lock)
    throw new OptionError(
      `Portcullis is running here already (process ${lock.heldBy}): stop it first, with Ctrl-C in its terminal. If it is not, delete ${path.join(DIRECTORY, "lock")}`,
    );
}

try {
  await main();
} catch (error) {
  console.error(
    error instanceof OptionError || error instanceof ConfigurationError
      ? error.message
      : `Could not start: ${error instanceof Error ? error.message : String(error)}\nIf the local state is damaged, begin anew: npm start -- --reset`,
  );
  process.exit(1);
}
