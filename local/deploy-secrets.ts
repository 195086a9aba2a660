/** `npm run deploy:secrets -- --out FOLDER`: fresh secrets for an installation, in files that `wrangler deploy --secrets-file` takes. */
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { optionsOrUsage, refuseWithUsage } from "./command-line.ts";
import { makeSecrets } from "./secrets.ts";

const USAGE = `npm run deploy:secrets -- --out FOLDER

Makes fresh secrets for a new installation and writes them to FOLDER/gateway.json and FOLDER/control-plane.json, which only you can read.
Prints none of them.

  --out FOLDER   must not exist yet; outside of this repository`;

const { out } = optionsOrUsage(USAGE, { out: { type: "string" } });
if (out === undefined) refuseWithUsage(USAGE, "--out is required");
const folder = path.resolve(out);
const ROOT = path.resolve(import.meta.dirname, "..");
if (!path.relative(ROOT, folder).startsWith("..")) refuseWithUsage(USAGE, "--out must be outside of this repository");

const { gateway, controlPlane } = makeSecrets();
try {
  mkdirSync(folder, { mode: 0o700 });
} catch {
  refuseWithUsage(USAGE, "--out cannot be made: there is something already, or the folder above it is missing");
}
const write = (name: string, secrets: object) =>
  writeFileSync(path.join(folder, name), JSON.stringify(secrets), { mode: 0o600, flag: "wx" });
write("gateway.json", { ...gateway, HEALTH_SECRET: randomBytes(32).toString("base64url") });
write("control-plane.json", controlPlane);
console.log(`Wrote gateway.json and control-plane.json to ${folder}. Keep them where you keep secrets, and nowhere else.`);
