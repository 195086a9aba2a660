/** What `npm run deploy:secrets` makes, the Workers take; `npm run deploy:check` finds what would make a deployment fail, or worse, go through. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { controlPlaneConfiguration } from "../../control-plane/configuration.ts";
import { gatewayConfiguration } from "../../worker/configuration.ts";
import { settingsOf } from "../../local/platform.ts";
import { deployFaults, type Deployment } from "../../local/deploy-faults.ts";

const PROJECT = path.resolve(import.meta.dirname, "../..");
const FILES: Deployment = {
  gateway: "wrangler.toml",
  controlPlane: "control-plane/wrangler.toml",
  exampleApi: "example-api/wrangler.toml",
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "deploy-check-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Copies of the configurations with one of them changed. The sources stay where they are. */
function changed(part: keyof Deployment, from: string, to: string): Deployment {
  const copies = Object.entries(FILES).map(([name, file]) => {
    const text = readFileSync(path.join(PROJECT, file), "utf8");
    if (name === part) expect(text).toContain(from);
    const copy = path.join(folder, `${name}.toml`);
    const edited = name === part ? text.replace(from, to) : text;
    const source = path.dirname(path.join(PROJECT, file));
    writeFileSync(
      copy,
      edited.replace(/^main = "(.+)"$/m, (_, main: string) => `main = ${JSON.stringify(path.join(source, main))}`),
    );
    return [name, copy];
  });
  return Object.fromEntries(copies) as Deployment;
}

it("finds nothing wrong with what is here", async () => {
  expect(await deployFaults(changed("gateway", "", ""))).toEqual([]);
});

it.each([
  ["gateway", 'CELLS = "16"', 'CELLS = "8"', /^CELLS must be the same/],
  ["controlPlane", 'id = "portcullis-keys"', 'id = "other"', /^KEYS must be the same KV namespace/],
  ["gateway", 'entrypoint = "LedgerReader"', 'entrypoint = "Ledger2"', /^LEDGER_READER: the control plane has no entrypoint Ledger2/],
  ["gateway", 'entrypoint = "LedgerReader"', "", /^LEDGER_READER: the control plane has no entrypoint without/],
  ["controlPlane", 'class_name = "Limiter"', 'class_name = "Limits"', /not exported in your entrypoint file: Limits/],
  ["controlPlane", '[exports.UsageStore]\ntype = "durable-object"\nstorage = "sqlite"', "", /no live `exports` entry/],
  ["gateway", "send_metrics = false", "send_metrics = false\nservises = 1", /Unexpected fields found in top-level field: "servises"/],
  ["gateway", 'compatibility_date = "2026-10-01"', "", /compatibility/],
] as const)("finds a %s in which %s became %s", async (part, from, to, fault) => {
  const faults = await deployFaults(changed(part, from, to));
  expect(
    faults.some((each) => fault.test(each)),
    faults.join("\n"),
  ).toBe(true);
});

describe("fresh secrets", () => {
  const make = (out: string) => spawnSync(process.execPath, ["local/deploy-secrets.ts", "--out", out], { cwd: PROJECT, encoding: "utf8" });

  it("are what the Workers take, only the owner can read them, and none is printed", () => {
    const out = path.join(folder, "secrets");
    const { status, stdout, stderr } = make(out);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const read = (name: string) => JSON.parse(readFileSync(path.join(out, name), "utf8")) as Record<string, string>;
    const [gateway, controlPlane] = [read("gateway.json"), read("control-plane.json")];
    expect(gatewayConfiguration({ ...settingsOf("gateway"), ...gateway }).healthSecret).toBe(gateway["HEALTH_SECRET"]);
    controlPlaneConfiguration({ ...settingsOf("controlPlane"), ...controlPlane });
    expect(gateway["TAG_KEYS"]).toBe(controlPlane["TAG_KEYS"]);
    for (const name of ["gateway.json", "control-plane.json"]) expect(statSync(path.join(out, name)).mode & 0o777).toBe(0o600);
    for (const secret of Object.values({ ...gateway, ...controlPlane })) expect(stdout).not.toContain(secret);
  });

  it("never take the place of others, and are not written where they could be committed", () => {
    const out = path.join(folder, "secrets");
    make(out);
    const before = readFileSync(path.join(out, "gateway.json"), "utf8");
    expect(make(out).status).toBe(1);
    expect(readFileSync(path.join(out, "gateway.json"), "utf8")).toBe(before);
    expect(make("local/secrets-of-a-test").stderr).toContain("outside of this repository");
  });
});
