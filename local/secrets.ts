/** The secrets of a local installation: made once, kept in `.dev.vars` files that only you can read and git ignores. */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import path from "node:path";

const ROOT = path.resolve(import.meta.dirname, "..");
const GATEWAY_FILE = path.join(ROOT, ".dev.vars");
const CONTROL_PLANE_FILE = path.join(ROOT, "control-plane", ".dev.vars");

/** Fresh secrets, by Worker. Both share the tag keys. */
export function makeSecrets() {
  const secret = () => randomBytes(32).toString("base64url");
  const TAG_KEYS = `A:${secret()}`;
  return {
    gateway: { TAG_KEYS, ASSERTION_KEYS: assertionKeys() },
    controlPlane: { TAG_KEYS, REPLY_SEAL_KEY: secret(), BOOTSTRAP_SECRET: secret(), WIDGET_TOKEN_KEY: secret() },
  };
}

/** One private P-256 key as a JWK set. */
function assertionKeys(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return JSON.stringify({ keys: [{ ...privateKey.export({ format: "jwk" }), kid: randomBytes(8).toString("base64url") }] });
}

/** Secrets by Worker, as the `.dev.vars` files hold them. */
export interface LocalSecrets {
  readonly gateway: Readonly<Record<string, string>>;
  readonly controlPlane: Readonly<Record<string, string>>;
}

/**
 * Makes the `.dev.vars` files where they are missing, and reads them. A file that is left decides what both share, and is given the secrets
 * that it does not have yet.
 */
export function localSecrets(): LocalSecrets {
  const made = makeSecrets();
  const [gateway, controlPlane] = [readIfThere(GATEWAY_FILE), readIfThere(CONTROL_PLANE_FILE)];
  const TAG_KEYS = gateway?.["TAG_KEYS"] ?? controlPlane?.["TAG_KEYS"] ?? made.gateway.TAG_KEYS;
  complete(GATEWAY_FILE, { ...made.gateway, TAG_KEYS }, gateway ?? {});
  complete(CONTROL_PLANE_FILE, { ...made.controlPlane, TAG_KEYS }, controlPlane ?? {});
  return { gateway: read(GATEWAY_FILE), controlPlane: read(CONTROL_PLANE_FILE) };
}

function readIfThere(file: string): Record<string, string> | undefined {
  return existsSync(file) ? read(file) : undefined;
}

/** Adds to a file what it does not have; a last line that was left open is closed. */
function complete(file: string, wanted: Readonly<Record<string, string>>, present: Readonly<Record<string, string>>): void {
  const missing = Object.entries(wanted).filter(([name]) => !(name in present));
  if (missing.length === 0) return;
  const isOpen = existsSync(file) && /[^\n]$/.test(readFileSync(file, "utf8"));
  appendFileSync(file, (isOpen ? "\n" : "") + missing.map(([name, value]) => `${name}=${value}\n`).join(""), { mode: 0o600 });
}

function read(file: string): Record<string, string> {
  const lines = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => /^[A-Z_]+=/.test(line));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1).trim()]));
}
