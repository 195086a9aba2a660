/** What the API says about itself, to anyone. */
import { createHash } from "node:crypto";
import { exports } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { ENDPOINTS } from "../../control-plane/http/sections.ts";

const get = (path: string) => exports.default.fetch(new Request(`https://control.example${path}`));

it("the document is served to anyone", async () => {
  const response = await get("/openapi.json");
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(await response.json()).toMatchObject({ openapi: "3.1.1" });
});

describe("the reference page", async () => {
  const response = await get("/reference");
  const page = await response.text();
  const policy = response.headers.get("content-security-policy") ?? "";

  it("shows every endpoint", () => {
    for (const { operationId, summary } of ENDPOINTS) {
      expect(page).toContain(`<article id="${operationId}">`);
      expect(page).toContain(`>${summary.replaceAll("'", "&#39;")}<`);
    }
  });

  it("has no dead link in it", () => {
    for (const [, anchor = ""] of page.matchAll(/href="#([^"]+)"/g)) expect(page).toContain(`id="${anchor}"`);
  });

  it("loads nothing and runs nothing", () => {
    expect(page).not.toMatch(/<script|<link|<img|<iframe|\son\w+=|url\(|@import|https?:\/\//i);
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/);
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  });

  it("has the one style that its policy lets in", () => {
    const [style] = [...page.matchAll(/<style>([^]*?)<\/style>/g)].map(([, text = ""]) => text);
    const hash = createHash("sha256")
      .update(style ?? "")
      .digest("base64");
    expect(policy).toContain(`'sha256-${hash}'`);
  });
});
