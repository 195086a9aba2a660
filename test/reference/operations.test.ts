/** docs/operations.md names commands, settings, alerts and figures that there are. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { PRICES } from "../simulation/comparison/bill.ts";
import { capacityTable } from "../simulation/comparison/capacity.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(path.join(ROOT, file), "utf8");
const OPERATIONS = read("docs/operations.md");
const API = read("docs/api.md");
const named = (expression: RegExp) => [...new Set(OPERATIONS.match(expression))];

it("has the figures that follow from the formulas and the prices", () => {
  expect(OPERATIONS).toContain(capacityTable());
  expect(PRICES.objectRequests.usdPerMillion).toBe(0.15);
});

it("names scripts that there are", () => {
  const { scripts } = JSON.parse(read("package.json")) as { readonly scripts: Readonly<Record<string, string>> };
  const called = named(/(?<=npm run )[a-z:]+/g);
  expect(called.length).toBeGreaterThan(3);
  for (const script of called) expect(Object.keys(scripts), script).toContain(script);
});

it("names settings and secrets that api.md describes", () => {
  const others = ["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID", "PORTCULLIS_URL", "PORTCULLIS_KEY"];
  const settings = named(/\b[A-Z]+(?:_[A-Z]+)+\b/g).filter((name) => !others.includes(name));
  expect(settings.length).toBeGreaterThan(8);
  for (const setting of settings) expect(API, setting).toContain(`\`${setting}\``);
});

it("says for every alert what to do, and names no others", () => {
  const alerts = [...read("docs/alerts.yml").matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
  expect(named(/\bPortcullis[A-Z][A-Za-z]+\b/g).toSorted()).toEqual(alerts.toSorted());
});

it("names metrics that api.md describes", () => {
  const metrics = named(/\bportcullis_[a-z_]+\b/g);
  expect(metrics.length).toBeGreaterThan(3);
  for (const metric of metrics) expect(API, metric).toContain(`\`${metric}\``);
});

it.each(["docs/operations.md", "docs/api.md"])("%s links to headings that there are", (file) => {
  const anchor = (heading: string) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-");
  const anchorsOf = (text: string) => new Set([...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchor(heading)));
  for (const [, target = "", fragment = ""] of read(file).matchAll(/\]\(([a-z.]*)#([^)]+)\)/g)) {
    const linked = target === "" ? file : `docs/${target}`;
    expect(anchorsOf(read(linked)), `${target}#${fragment}`).toContain(fragment);
  }
});
