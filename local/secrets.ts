/** The secrets of a local installation: made once, kept in `.dev.vars` files that only you can read and git ignores. */
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const ROOT = path.resolve(import.meta.dirname, "..");
const GATEWAY_FILE = path.join(ROOT, ".dev.vars");
const CONTROL_PLANE_FILE = path.join(ROOT, "control-plane", ".dev.vars");

/** Fresh secrets, by Worker. Both share the tag keys. */
export function makeSecrets() {
  const secret = () => randomBytes(32).toString("base64url");
  const TAG_KEYS = `A:${secret()}`;
  return { gateway: { TAG_KEYS }, controlPlane: { TAG_KEYS, REPLY_SEAL_KEY: secret(), BOOTSTRAP_SECRET: secret() } };
}

/** Makes the `.dev.vars` files where they are missing, and reads them. */
export function localSecrets(): { readonly gateway: Record<string, string>; readonly controlPlane: Record<string, string> } {
  if (!existsSync(GATEWAY_FILE) || !existsSync(CONTROL_PLANE_FILE)) {
    const made = makeSecrets();
    write(GATEWAY_FILE, made.gateway);
    write(CONTROL_PLANE_FILE, made.controlPlane);
  }
  return { gateway: read(GATEWAY_FILE), controlPlane: read(CONTROL_PLANE_FILE) };
}

function write(file: string, secrets: Readonly<Record<string, string>>): void {
  writeFileSync(
    file,
    Object.entries(secrets)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(""),
    { mode: 0o600 },
  );
}

function read(file: string): Record<string, string> {
  const lines = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => /^[A-Z_]+=/.test(line));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1).trim()]));
}
