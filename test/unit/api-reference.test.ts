/** docs/api.md names what the code has: endpoints, refusals, permissions and settings cannot be added without it. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { PLATFORM_PERMISSIONS } from "../../core/permission.ts";
import { TOLD } from "../../core/reason.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(path.join(ROOT, file), "utf8");
const REFERENCE = read("docs/api.md");

/** Endpoints as `POST /api_keys/:id/expire`, from the place each file has in the application. */
function endpoints(): string[] {
  const files = readdirSync(path.join(ROOT, "control-plane/http")).map((file) => read(`control-plane/http/${file}`));
  const application = read("control-plane/app.ts");
  const mounted = [...application.matchAll(/app\.route\("([^"]+)", (\w+)\(/g)].flatMap(([, place = "", routes = ""]) => {
    const file = files.find((text) => text.includes(`function ${routes}(`)) ?? "";
    return endpointsIn(file).map(([method, rest]) => `${method} ${place}${rest === "/" ? "" : rest}`);
  });
  return [...mounted, ...endpointsIn(application).map((endpoint) => endpoint.join(" "))];
}

function endpointsIn(text: string): [method: string, path: string][] {
  return [...text.matchAll(/\.(get|post|put|patch|delete)\("(\/[^"]*)"/g)].map(([, method = "", place = ""]) => [
    method.toUpperCase(),
    place,
  ]);
}

/** Settings as wrangler.toml has them. */
function settings(): [name: string, value: string][] {
  const files = ["wrangler.toml", "control-plane/wrangler.toml"].map(read).join("\n");
  return [...files.matchAll(/^([A-Z_]+) = "([^"]*)"$/gm)].map(([, name = "", value = ""]) => [name, value]);
}

it("finds what is to be documented", () => {
  expect(endpoints()).toContain("GET /health");
  for (const [, place = ""] of read("control-plane/app.ts").matchAll(/app\.route\("([^"]+)"/g))
    expect(endpoints()).toContainEqual(expect.stringMatching(new RegExp(`^[A-Z]+ ${place}\\b`)));
  expect(settings()).toEqual(expect.arrayContaining([["EDGE_LEASE_MS", "1000"]]));
});

it.each(endpoints())("has a row for %s", (endpoint) => expect(REFERENCE).toMatch(new RegExp(`^\\| \`${endpoint}\`⁺? \\|`, "m")));

it.each(Object.values(TOLD))("has a row for the refusal $code with its status", ({ status, code }) =>
  expect(REFERENCE).toContain(`| ${status} | \`${code}\` |`),
);

it.each(PLATFORM_PERMISSIONS)("names %s", (permission) => expect(REFERENCE).toMatch(new RegExp(`${permission}\\b`)));

it.each(settings())("has a row for the setting %s with its usual value %s", (name, value) =>
  expect(REFERENCE).toMatch(new RegExp(`^\\| \`${name}\` \\|.*\`${value}\` \\|$`, "m")),
);
