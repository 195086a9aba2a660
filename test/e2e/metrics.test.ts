/**
 * The metrics of a running system, and the alerts over them, held against Prometheus's own tool, where that can be had; and against what is in the docs,
 * anywhere.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callApi } from "../../local/api-client.ts";
import { readExposition } from "../exposition.ts";
import { startTestSystem, type TestSystem } from "../system.ts";

const DOCS = path.resolve(import.meta.dirname, "../../docs");
const ALERTS = path.join(DOCS, "alerts.yml");
const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;
if (!hasPromtool) console.warn("promtool is not installed: metrics are not held against it.");

let system: TestSystem;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "metrics-"));
  system = await startTestSystem();
});
afterAll(async () => {
  await system?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const promtool = (args: readonly string[], input?: string) =>
  spawnSync("promtool", args, { encoding: "utf8", ...(input !== undefined && { input }) });

/** What is scraped once gateways have told what they counted. */
async function scraped(): Promise<string> {
  const key = String(
    (
      await callApi(system.controlPlane, system.adminKey, "POST", "/organizations/org_platform/api_keys", {
        name: "Prometheus",
        permissions: ["portcullis:metrics:read"],
      })
    )["value"],
  );
  await fetch(new URL("/orders", system.gateway));
  const headers = { Authorization: `Bearer ${key}` };
  const scrape = async () => (await fetch(new URL("/metrics", system.controlPlane), { headers })).text();
  await expect.poll(scrape, { timeout: 60_000, interval: 1_000 }).toContain('reason="missing_credential"');
  return scrape();
}

describe("metrics", () => {
  it("of a running system are read by Prometheus without a complaint, and each of them is in docs/api.md", async () => {
    const text = await scraped();
    const names = new Set(readExposition(text).map(({ name }) => name.replace(/_seconds_(?:bucket|sum|count)$/, "_seconds")));
    expect(names.size).toBeGreaterThan(10);
    const documented = readFileSync(path.join(DOCS, "api.md"), "utf8");
    for (const name of names) expect(documented, name).toContain(`\`${name}\``);
    if (!hasPromtool) return;
    const { status, stdout, stderr } = promtool(["check", "metrics"], text);
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
  });

  it("that alerts speak of are all there, with those labels", async () => {
    const series = readExposition(await scraped());
    const heads = [...readFileSync(ALERTS, "utf8").matchAll(/portcullis_[a-z_]+/g)].map(([name]) => name);
    const announced = new Set((await scraped()).match(/(?<=^# TYPE )\S+/gm));
    expect(heads.length).toBeGreaterThan(10);
    for (const name of heads) expect(announced, name).toContain(name);
    const labels = series.find(({ name }) => name === "portcullis_decisions_total")?.labels;
    expect(Object.keys(labels ?? {})).toEqual(["decision", "reason", "code", "route"]);
  });
});

describe.skipIf(!hasPromtool)("alerts", () => {
  it("are rules that Prometheus takes", () => {
    const { status, stderr } = promtool(["check", "rules", ALERTS]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  it.each([
    ["PortcullisNotScraped", ['up{job="portcullis"}', "0x10"], {}],
    ["PortcullisCellDown", ['portcullis_cell_up{cell="3"}', "0x10"], { cell: "3" }],
    ["PortcullisRefusesForWantOfALedger", ['portcullis_decisions_total{reason="ledger_unreachable"}', "0+60x10"], {}],
    ["PortcullisLeasesNotGranted", ['portcullis_leases_granted_total{cell="3",region="weur"}', "0+50x10"], { cell: "3", region: "weur" }],
    ["PortcullisRevocationsLate", ['portcullis_oldest_pending_receipt_seconds{cell="3"}', "61x10"], { cell: "3" }],
    ["PortcullisUpstreamFails", ['portcullis_decisions_total{reason="upstream_timeout",route="r"}', "0+60x20"], { route: "r" }],
  ] as const)("%s fires when it should, and is silent when all is well", (alert, [series, values], labels) => {
    const well = [
      { series: 'up{job="portcullis"}', values: "1x20" },
      { series: 'portcullis_cell_up{cell="3"}', values: "1x20" },
      { series: 'portcullis_decisions_total{reason="",route="r"}', values: "0+600x20" },
      { series: 'portcullis_lease_requests_total{cell="3",region="weur"}', values: "0+60x20" },
      { series: 'portcullis_leases_granted_total{cell="3",region="weur"}', values: "0+60x20" },
      { series: 'portcullis_oldest_pending_receipt_seconds{cell="3"}', values: "1x20" },
    ];
    const ill = [...well.filter((each) => each.series !== series), { series, values }];
    const firing = rulesTest(ill, alert, [labels]);
    expect(firing.status, firing.stdout + firing.stderr).toBe(0);
    const silent = rulesTest(well, alert, []);
    expect(silent.status, silent.stdout + silent.stderr).toBe(0);
  });

  /** Whether exactly these alerts are firing after ten minutes. Texts are taken from what fires: only which ones do is in question. */
  function rulesTest(series: readonly { readonly series: string; readonly values: string }[], alert: string, expected: readonly object[]) {
    const file = path.join(folder, "test.yml");
    const query = `count(ALERTS{alertname="${alert}",alertstate="firing"${labelMatchers(expected[0] ?? {})}})`;
    const samples = expected.length > 0 ? [{ labels: "{}", value: expected.length }] : [];
    const test = { interval: "1m", input_series: series, promql_expr_test: [{ expr: query, eval_time: "10m", exp_samples: samples }] };
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ rule_files: [ALERTS], evaluation_interval: "1m", tests: [test] }));
    return promtool(["test", "rules", file]);
  }
});

function labelMatchers(labels: object): string {
  return Object.entries(labels)
    .map(([name, value]) => `,${name}="${String(value)}"`)
    .join("");
}
