/**
 * The Workers log a line per decision. Miniflare would read and parse all of them in a process of its own, on the
 * processors that are being measured; on Cloudflare the lines leave the machine instead. So the workerd that is measured
 * writes its log to the null device: writing a line still costs what it costs, reading it does not count.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";

/** Has Miniflare start workerd that way from now on, until disposed. Does nothing on Windows, where the lines are read. */
export function workerdWithoutOutput(): Disposable {
  if (process.platform === "win32") return { [Symbol.dispose]: () => {} };
  const folder = mkdtempSync(path.join(tmpdir(), "portcullis-bench-"));
  const launcher = path.join(folder, "workerd");
  writeFileSync(launcher, `#!/bin/sh\nexec '${workerdPath()}' "$@" >/dev/null\n`, { mode: 0o700 });
  process.env["MINIFLARE_WORKERD_PATH"] = launcher;
  return {
    [Symbol.dispose]: () => {
      delete process.env["MINIFLARE_WORKERD_PATH"];
      rmSync(folder, { recursive: true });
    },
  };
}

/** The workerd that Miniflare would start by itself. */
function workerdPath(): string {
  const fromMiniflare = createRequire(createRequire(import.meta.url).resolve("miniflare"));
  return (fromMiniflare("workerd") as { readonly default: string }).default;
}
