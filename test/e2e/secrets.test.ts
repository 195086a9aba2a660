/**
 * Where a secret may be: in the one answer that creates it, and nowhere else. A busy system is run with its state on disk; then
 * every byte it wrote is searched: databases, KV, log lines, and all other answers with their headers.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { sha256Hex } from "../../core/digest.ts";
import type { Json } from "../../local/api-client.ts";
import { startTestSystem, type TestSystem } from "../system.ts";

interface Key {
  readonly id: string;
  readonly value: string;
}

const TOKEN_ID_LENGTH = 26;
const CHECKSUM_LENGTH = 6;

let folder: string;
let system: TestSystem;
/** What must be found nowhere. */
const secrets = new Set<string>();
const keys: Key[] = [];
/** Every answer but those that create a key, as text, headers included. */
const answers: string[] = [];

const secretOf = ({ value }: Key) => value.slice(value.lastIndexOf("_") + 1 + TOKEN_ID_LENGTH, -CHECKSUM_LENGTH);
const tokenIdOf = ({ value }: Key) => value.slice(value.lastIndexOf("_") + 1).slice(0, TOKEN_ID_LENGTH);

/** Every way a secret may be written down in bytes. */
function formsOf(secret: string): Buffer[] {
  const bytes = Buffer.from(secret);
  // Base64 depends on what stands before; the characters at the edges depend on the neighbours.
  const base64 = [0, 1, 2].map((before) =>
    Buffer.from("x".repeat(before) + secret)
      .toString("base64")
      .slice(4, -4),
  );
  return [bytes, Buffer.from(secret, "utf16le"), ...[bytes.toString("hex"), ...base64].map((text) => Buffer.from(text))];
}

/** Which of the texts, in any form, are in the bytes. */
const foundIn = (bytes: Buffer, texts: Iterable<string>) => [...texts].filter((text) => formsOf(text).some((form) => bytes.includes(form)));

/** One request; its answer is kept, without the value that it may create. */
async function send(base: URL, method: string, target: string, headers: Record<string, string>, body?: string): Promise<Json> {
  const response = await fetch(new URL(target, base), { method, headers, redirect: "manual", ...(body !== undefined && { body }) });
  const text = await response.text();
  const answer = response.headers.get("content-type")?.includes("json") ? (JSON.parse(text) as Json) : {};
  const { value } = answer;
  if (response.status === 201 && typeof value === "string") {
    keep({ id: String(answer["id"]), value });
    answers.push(JSON.stringify({ ...answer, value: "" }), JSON.stringify([...response.headers]));
  } else answers.push(text, JSON.stringify([...response.headers]));
  return answer;
}

function keep(key: Key): void {
  keys.push(key);
  secrets.add(key.value).add(secretOf(key));
}

const control = (method: string, target: string, body?: Json | string, headers: Record<string, string> = {}, key = system.adminKey) =>
  send(
    system.controlPlane,
    method,
    target,
    { Authorization: `Bearer ${key}`, "Content-Type": "application/json", ...headers },
    typeof body === "string" ? body : JSON.stringify(body),
  );
const gateway = (target: string, headers: Record<string, string>, method = "GET") => send(system.gateway, method, target, headers);

/** What one customer does: keys are made, repeated, used in every place, misplaced, changed and ended. */
async function customer(name: string): Promise<void> {
  const organization = await control("POST", "/organizations", { name });
  const ownKeys = `/organizations/${String(organization["id"])}/api_keys`;
  const once = { "Idempotency-Key": `the-only-way-to-open-the-reply-for-${name}` };
  secrets.add(once["Idempotency-Key"]);
  const made = [
    await control("POST", ownKeys, { name: "CI", permissions: ["orders:read", "orders:write"] }, once),
    await control("POST", ownKeys, { name: "CI", permissions: ["orders:read", "orders:write"] }, once),
    await control("POST", ownKeys, { name: "Nightly", permissions: ["invoices:read"] }),
    await control("POST", ownKeys, { name: "Trial", permissions: ["orders:read"], environment: "test" }),
    await control("POST", `/user_management/users/${system.users[1]?.id}/api_keys`, {
      name: "Laptop",
      organization_id: system.organizationId,
      permissions: ["orders:read"],
    }),
  ].map((answer) => ({ id: String(answer["id"]), value: String(answer["value"]) }));
  for (const key of made) await use(key);
  for (const key of made) await misplace(key, ownKeys);
  await control("POST", ownKeys, { name: "Another request" }, once);
  for (const { id } of made.slice(0, 3)) await control("PATCH", `/api_keys/${id}`, { name: "Renamed", permissions: ["orders:read"] });
  await control("POST", `/api_keys/${made[3]?.id}/expire`, {});
  for (const { id } of made.slice(0, 3)) await control("DELETE", `/api_keys/${id}`);
  for (const key of made) await use(key);
  for (const target of [ownKeys, `${ownKeys}?limit=1`, "/organizations?limit=100"]) await control("GET", target);
}

/** In every place a gateway reads a key from, and on routes that want more than it has. */
async function use({ value }: Key): Promise<void> {
  const bearer = { Authorization: `Bearer ${value}` };
  await gateway("/orders", bearer);
  await gateway("/invoices", bearer);
  await gateway("/orders", { "X-API-Key": value });
  for (const target of ["/orders/1", "/orders"]) await gateway(target, { Authorization: `Basic ${btoa(`${value}:`)}` });
  await control("POST", "/api_keys/validations", { value });
}

/** In every place where people put keys by mistake. */
async function misplace({ value }: Key, ownKeys: string): Promise<void> {
  const bearer = { Authorization: `Bearer ${value}` };
  await gateway(`/orders?api_key=${value}`, {});
  await gateway(`/orders/${value}`, bearer);
  await gateway(`/${value}/..`, bearer);
  await gateway("/orders", { ...bearer, "X-API-Key": value });
  await gateway("/orders", { Authorization: value });
  await gateway("/orders", { Authorization: `Bearer ${value} ${value}` });
  await gateway("/orders", { Authorization: `Bearer ${value.slice(0, -1)}` });
  await gateway("/orders", { Cookie: `key=${value}`, "User-Agent": value, Referer: `https://example.com/?key=${value}` });
  await control("GET", "/organizations", undefined, {}, value);
  await control("GET", `/api_keys/${value}`);
  await control("DELETE", `/api_keys/${value}`);
  await control("GET", `/organizations/${value}`);
  await control("GET", `/${value}`);
  await control("GET", `${ownKeys}?after=${value}&limit=${value}&order=${value}`);
  await control("GET", `/receipts/${value}`);
  await control("GET", `/authorization/roles/${value}`);
  await control("POST", ownKeys, { permissions: [value], name: 1, expires_at: value, environment: value });
  await control("POST", ownKeys, `{"name": "${value}`);
  await control("PUT", "/routes", { routes: [{ name: value, path: value, upstream: value, methods: [value] }], version: value });
}

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "portcullis-secrets-"));
  system = await startTestSystem({ stateDirectory: folder });
  const { TAG_KEYS, ...own } = system.secrets.controlPlane;
  for (const secret of [...Object.values(own), TAG_KEYS?.split(":")[1], "local-bootstrap"]) if (secret !== undefined) secrets.add(secret);
  keep({ id: "", value: system.adminKey });
  await control("POST", "/bootstrap", {}, {}, system.secrets.controlPlane["BOOTSTRAP_SECRET"]);
  await Promise.all(["Initech", "Globex", "Umbrella"].map(customer));
  for (let cell = 0; cell < 16; cell += 1) await control("GET", `/ledger/${cell}/entries`);
  const published = await system.miniflare.getKVNamespace("KEYS", "portcullis-gateway");
  await vi.waitFor(async () => expect(await Promise.all(keys.map((key) => published.get(`key/${tokenIdOf(key)}`)))).not.toContain(null), {
    timeout: 60_000,
    interval: 100,
  });
  // Log lines wait for company for a moment.
  const last = await fetch(new URL("/orders", system.gateway));
  const requestId = last.headers.get("portcullis-request-id") ?? "";
  await vi.waitFor(() => expect(system.logLines.some((line) => line.includes(requestId))).toBe(true), { timeout: 60_000, interval: 20 });
  await system.stop();
});
afterAll(async () => {
  await system?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** The bytes of all files of the state whose paths fit. */
function written(fits: (file: string) => boolean): Buffer {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  const paths = files.map(({ parentPath, name }) => path.join(parentPath, name)).filter((file) => fits(path.relative(folder, file)));
  return Buffer.concat(paths.map((file) => readFileSync(file)));
}

/** What is searched, and what is known to be in it, without which the search would have looked at the wrong place. */
const PLACES: readonly (readonly [string, () => Buffer, () => readonly string[]])[] = [
  ["the ledgers' databases", () => written((file) => file.startsWith("do")), () => keys.map(({ value }) => sha256Hex(value))],
  ["KV, or any other file", () => written((file) => !file.startsWith("do")), () => keys.map(tokenIdOf)],
  ["the log lines of both Workers", () => Buffer.from(system.logLines.join("\n")), () => keys.slice(1).map(({ id }) => id)],
  [
    "the answers, their headers included, except the creating ones",
    () => Buffer.from(answers.join("\n")),
    () => keys.slice(1).map(({ id }) => id),
  ],
];

describe("a secret, whole or the secret part of a token,", () => {
  it.each(PLACES)("is not in %s", (_, search, known) => {
    const bytes = search();
    expect(foundIn(bytes, known())).toEqual(known());
    // Only how many: a failure must not tell them either.
    expect(foundIn(bytes, secrets)).toHaveLength(0);
  });

  it("would be found in any form", () => {
    for (const form of formsOf("TheSecretPartOfAToken"))
      expect(foundIn(Buffer.concat([Buffer.from("abc"), form]), ["TheSecretPartOfAToken"])).toHaveLength(1);
    expect(foundIn(Buffer.from(btoa("pc_live_TheSecretPartOfAToken:")), ["TheSecretPartOfAToken"])).toHaveLength(1);
    expect(secrets.size).toBeGreaterThan(2 * keys.length);
  });
});
