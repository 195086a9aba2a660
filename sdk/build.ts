/** Makes `dist`, what the package consists of: ES modules, each with its types. What it shares with Portcullis itself is bundled. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";

const SDK = import.meta.dirname;
const DIST = path.join(SDK, "dist");
const ENTRIES = ["index", "express", "next", "hono"] as const;
const TYPES_OF_THE_PACKAGE = /from "\.\/([a-z-]+)\.ts"/g;

rmSync(DIST, { recursive: true, force: true });
await build({
  absWorkingDir: SDK,
  entryPoints: ENTRIES.map((entry) => `${entry}.ts`),
  outdir: DIST,
  bundle: true,
  splitting: true,
  chunkNames: "[name]-[hash]",
  format: "esm",
  platform: "neutral",
  target: "es2022",
  packages: "external",
  logLevel: "warning",
});
addTypes();

/** The types of the entries and whatever those mention. */
function addTypes(): void {
  const scratch = mkdtempSync(path.join(DIST, "types-"));
  const { status } = spawnSync("tsc", ["-p", "tsconfig.build.json", "--outDir", scratch], { cwd: SDK, stdio: "inherit" });
  if (status !== 0) throw new Error("the types could not be made");
  const mentioned = new Set<string>(ENTRIES);
  for (const name of mentioned) {
    const types = readFileSync(path.join(scratch, "sdk", `${name}.d.ts`), "utf8");
    for (const [, other = ""] of types.matchAll(TYPES_OF_THE_PACKAGE)) mentioned.add(other);
    writeFileSync(path.join(DIST, `${name}.d.ts`), types.replace(TYPES_OF_THE_PACKAGE, 'from "./$1.js"'));
  }
  rmSync(scratch, { recursive: true });
}
