/** Reading command lines: an option that a script does not know is refused, never passed over. */
import { parseArgs, type ParseArgsOptionsConfig } from "node:util";

/** The options this process was called with. For `--help` it prints the usage and ends the process; see {@link refuseWithUsage} for a wrong one. */
export function optionsOrUsage<Options extends ParseArgsOptionsConfig>(usage: string, options: Options) {
  const args = process.argv.slice(2);
  if (args.includes("--help")) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    // The sentences after the first one are about options that nobody has here.
    return refuseWithUsage(usage, error instanceof Error ? (error.message.split(/\.\s/)[0] ?? "") : "Bad option");
  }
}

/** Says what is wrong and how to call the script, and ends the process with 1. */
export function refuseWithUsage(usage: string, fault: string): never {
  console.error(`${fault}.\n\n${usage}`);
  process.exit(1);
}
