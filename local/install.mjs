// Runs before every npm script, on whatever Node there is: installs what is missing, so that any script can be the
// first command after a clone. Plain JavaScript, because Node 24, which runs the TypeScript, is among what it installs.
import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";

const installed = "node_modules/.package-lock.json";
const upToDate = existsSync(installed) && statSync(installed).mtimeMs >= statSync("package-lock.json").mtimeMs;
if (!upToDate) {
  console.error("Installing what is missing (npm ci) …");
  const { status } = spawnSync("npm", ["ci", "--loglevel=error"], {
    stdio: ["ignore", "ignore", "inherit"],
    shell: process.platform === "win32",
  });
  if (status !== 0) {
    console.error("npm ci did not succeed. Check the network, then run the same command again.");
    process.exit(1);
  }
}
