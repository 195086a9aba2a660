/**
 * The project of somebody who uses the SDK: the apps, with the package installed as npm would install it from a registry, and the
 * frameworks from the repository's own packages. Made anew for each run, since nothing else shows that what is packed works.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import path from "node:path";

const SDK = path.resolve(import.meta.dirname, "../../sdk");
/** Where it is; not under version control. */
export const PROJECT = path.join(import.meta.dirname, "project");
/** Where the package is installed. */
export const INSTALLED = path.join(PROJECT, "node_modules/@portcullis/sdk");

/** Vitest's global setup. */
export function setup(): void {
  rmSync(PROJECT, { recursive: true, force: true });
  cpSync(path.join(import.meta.dirname, "apps"), PROJECT, { recursive: true });
  mkdirSync(INSTALLED, { recursive: true });
  const scratch = mkdtempSync(path.join(PROJECT, "packed-"));
  run("npm", ["pack", "--loglevel=error", "--pack-destination", scratch], SDK);
  run("tar", ["-xf", path.join(scratch, "portcullis-sdk-0.1.0.tgz"), "-C", INSTALLED, "--strip-components=1"], scratch);
}

/** Runs a program to its end, and gives what it printed. */
export function run(program: string, flags: readonly string[], directory: string): string {
  const { status, stdout, stderr } = spawnSync(program, flags, { cwd: directory, encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${flags.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}
