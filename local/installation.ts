/** The local installation on disk: `.portcullis/` beside package.json. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Seeded } from "./seed.ts";

/** Everything of the installation but the secrets. */
export const DIRECTORY = path.resolve(import.meta.dirname, "..", ".portcullis");
const NOTE = path.join(DIRECTORY, "local.json");

/** Where KV and the ledgers keep their data. */
export const STATE_DIRECTORY = path.join(DIRECTORY, "state");

/** What is remembered between starts, so that a start can print the admin key again and the demo can use it. Local use only. */
export interface Installation extends Seeded {
  readonly gateway: string;
  readonly controlPlane: string;
}

/** The installation as last noted, or undefined before the first start. */
export function readInstallation(): Installation | undefined {
  return existsSync(NOTE) ? (JSON.parse(readFileSync(NOTE, "utf8")) as Installation) : undefined;
}

/** Notes the installation in a file that only you can read. */
export function noteInstallation(installation: Installation): void {
  mkdirSync(DIRECTORY, { recursive: true });
  writeFileSync(NOTE, JSON.stringify(installation, null, 2), { mode: 0o600 });
}

/** Forgets everything but the secrets in `.dev.vars`. Only while the lock is held. */
export function forgetInstallation(): void {
  for (const part of [STATE_DIRECTORY, NOTE]) rmSync(part, { recursive: true, force: true });
}
