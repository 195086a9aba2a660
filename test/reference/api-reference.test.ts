/** docs/api.md names what the code has: endpoints, refusals, permissions and settings cannot be added without it. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { ENDPOINTS } from "../../control-plane/http/sections.ts";
import { PLATFORM_PERMISSIONS } from "../../core/permission.ts";
import { TOLD } from "../../core/reason.ts";

const ROOT = path.resolve(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(path.join(ROOT, file), "utf8");
const REFERENCE = read("docs/api.md");

/** Endpoints as `POST /api_keys/:`: the reference has shorter names for the parameters. */
const endpoints = () => ENDPOINTS.map(({ method, path: place }) => `${method} ${unnamed(place)}`);
const unnamed = (text: string) => text.replaceAll(/:\w+/g, ":");

/** Settings as wrangler.toml has them. */
function settings(): [name: string, value: string][] {
  const files = ["wrangler.toml", "control-plane/wrangler.toml"].map(read).join("\n");
  return [...files.matchAll(/^([A-Z_]+) = "([^"]*)"$/gm)].map(([, name = "", value = ""]) => [name, value]);
}

it("finds what is to be documented", () => {
  expect(endpoints()).toContain("POST /api_keys/:/expire");
  expect(settings()).toEqual(expect.arrayContaining([["EDGE_LEASE_MS", "1000"]]));
});

it.each(endpoints())("has a row for %s", (endpoint) => expect(unnamed(REFERENCE)).toMatch(new RegExp(`^\\| \`${endpoint}\`⁺? \\|`, "m")));

it.each(Object.values(TOLD))("has a row for the refusal $code with its status", ({ status, code }) =>
  expect(REFERENCE).toContain(`| ${status} | \`${code}\` |`),
);

it.each(PLATFORM_PERMISSIONS)("names %s", (permission) => expect(REFERENCE).toMatch(new RegExp(`${permission}\\b`)));

it.each(settings())("has a row for the setting %s with its usual value %s", (name, value) =>
  expect(REFERENCE).toMatch(new RegExp(`^\\| \`${name}\` \\|.*\`${value}\` \\|$`, "m")),
);
