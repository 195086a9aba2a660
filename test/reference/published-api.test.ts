/** The document that is published, and that the check of answers against it can fail. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { ENDPOINTS, SECTIONS } from "../../control-plane/http/sections.ts";
import { openApiDocument } from "../../control-plane/reference/openapi.ts";
import { PublishedApi } from "../published-api.ts";

const DOCUMENT = openApiDocument(SECTIONS);
const TEXT = JSON.stringify(DOCUMENT);
const ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
const KEY = {
  object: "api_key",
  id: `api_key_${ULID}`,
  owner: { type: "organization", id: `org_${ULID}` },
  name: "CI",
  obfuscated_value: "pc_live_...abcd",
  last_used_at: null,
  expires_at: null,
  permissions: [],
  environment: "live",
  created_at: "2026-01-15T12:00:00.000Z",
  updated_at: "2026-01-15T12:00:00.000Z",
  metadata: {},
  tags: [],
  allowed_networks: null,
  disabled_at: null,
  created_by: { type: "system", id: "bootstrap" },
  updated_by: { type: "system", id: "bootstrap" },
  previous_secret: null,
};

describe("the document", () => {
  it("has every endpoint once, under its name", () => {
    const operations = Object.values(DOCUMENT.paths).flatMap((item) => Object.values(item).map(({ operationId }) => operationId));
    expect(operations.toSorted()).toEqual(ENDPOINTS.map(({ operationId }) => operationId).toSorted());
  });

  it("refers only to what it has", () => {
    for (const [, kind = "", name = ""] of TEXT.matchAll(/"\$ref":"#\/components\/(\w+)\/([^"]+)"/g))
      expect(DOCUMENT.components).toHaveProperty([kind, name]);
  });

  it("has the version of the package", () => {
    const text = readFileSync(path.resolve(import.meta.dirname, "../../package.json"), "utf8");
    expect(DOCUMENT.info.version).toBe((JSON.parse(text) as { version: string }).version);
  });

  it("says what is taken as it is meant: a limit is a number, and a filter that is only refused is not there", () => {
    const names = DOCUMENT.paths["/organizations"]?.["get"]?.parameters.map(({ name }) => name);
    expect(names).toEqual(["limit", "order", "before", "after"]);
    expect(DOCUMENT.paths["/organizations"]?.["get"]?.parameters[0]?.schema.type).toBe("integer");
  });
});

describe("an answer is held against it:", () => {
  const published = new PublishedApi(JSON.parse(TEXT));
  const faults = (method: string, place: string, status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
    published.faults(method, place, {
      status,
      headers: new Headers({ "content-type": "application/json", "x-request-id": "req_1", ...headers }),
      text: body === null ? "" : JSON.stringify(body),
    });
  const getKey = (status: number, body: unknown) => faults("GET", `/api_keys/${KEY.id}`, status, body);
  const refusal = (code: string, more = {}) => ({ message: "No.", code, ...more });

  it("as published, nothing is wrong with it", () => {
    expect(getKey(200, KEY)).toEqual([]);
    expect(getKey(404, refusal("entity_not_found"))).toEqual([]);
    expect(faults("GET", "/no/such", 404, refusal("not_found"))).toEqual([]);
    expect(faults("DELETE", `/api_keys/${KEY.id}`, 204, null)).toEqual([]);
  });

  it.each([
    ["a status that is not published", () => getKey(201, KEY)],
    ["a member that is missing", () => getKey(200, { ...KEY, environment: undefined })],
    ["a member that is not published", () => getKey(200, { ...KEY, sha256: "0" })],
    ["a member of another type", () => getKey(200, { ...KEY, permissions: null })],
    ["a wrong value deep inside", () => getKey(200, { ...KEY, owner: { type: "user", id: `user_${ULID}` } })],
    ["an id of another kind", () => getKey(200, { ...KEY, id: `org_${ULID}` })],
    ["a time that is none", () => getKey(200, { ...KEY, expires_at: "tomorrow" })],
    ["an error that this endpoint does not have", () => getKey(404, refusal("not_found"))],
    ["an error without its message", () => getKey(404, { code: "entity_not_found" })],
    ["a 422 that names no field", () => faults("POST", "/organizations", 422, refusal("invalid_request_parameters"))],
    ["a body where there is none", () => faults("DELETE", `/api_keys/${KEY.id}`, 204, {})],
    ["another media type", () => faults("GET", "/health", 200, { status: "ok" }, { "content-type": "text/plain" })],
    ["a 401 without its challenge", () => getKey(401, refusal("unauthorized"))],
    ["a success where there is no endpoint", () => faults("GET", "/no/such", 200, {})],
    ["a success of a method that an endpoint does not have", () => faults("PUT", "/health", 200, { status: "ok" })],
  ])("%s is found", (_, check) => {
    expect(check()).not.toEqual([]);
  });
});
