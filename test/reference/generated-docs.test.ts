/** The pages that are made from the declarations are what the declarations say now. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { generatedPages } from "../../docs/generated.ts";

it.each(Object.entries(generatedPages()))("docs/%s is up to date; if not: npm run docs", (name, text) => {
  expect(readFileSync(path.resolve(import.meta.dirname, "../../docs", name), "utf8")).toBe(text);
});
