/**
 * Requests to the control plane exactly as given, hostile ones too. Whatever is refused must be refused in the API's
 * error shape and without a secret in it, so that is checked here, for every request of every test.
 */
import { env, exports } from "cloudflare:workers";
import { expect } from "vitest";
import { CHAIN_START } from "../../control-plane/ledger/journal.ts";
import type { Answer, Json } from "./installation.ts";

/** What a request carries besides its path. `json` is sent as JSON, `body` as it is. */
export interface Sent {
  readonly json?: unknown;
  readonly body?: BodyInit;
  readonly headers?: Readonly<Record<string, string>>;
}

const CELLS = 4;
const secretsSeen = new Set<string>([env.BOOTSTRAP_SECRET]);

/** Notes a secret that no error, no log line and no listing may hold from now on. */
export function keepSecret(value: unknown): void {
  if (typeof value === "string") secretsSeen.add(value);
}

/** Fails when a text holds any secret there is. */
export function expectNoSecret(text: string): void {
  for (const secret of secretsSeen) expect(text.includes(secret), "a secret was let out").toBe(false);
}

/** One request with a bearer token, or with none. A body that is not JSON is read, and left out. */
export async function ask(token: string | null, method: string, path: string, sent: Sent = {}): Promise<Answer> {
  const body = sent.json === undefined ? sent.body : JSON.stringify(sent.json);
  const headers = {
    ...(token !== null && { Authorization: `Bearer ${token}` }),
    ...(sent.json !== undefined && { "Content-Type": "application/json" }),
    ...sent.headers,
  };
  const request = new Request(`https://control.example${path}`, { method, headers, ...(body !== undefined && { body }) });
  const response = await exports.default.fetch(request);
  const text = await response.text();
  if (response.status >= 400) expectProblem(response, text);
  const isJson = response.headers.get("content-type") === "application/json";
  const answered = isJson ? (JSON.parse(text) as Json) : {};
  keepSecret(answered["value"]);
  return { status: response.status, headers: response.headers, body: answered };
}

/** The fields a 422 finds fault with. */
export function faultyFields({ body }: Answer): string[] {
  return (body["errors"] as readonly { readonly field: string }[]).map((error) => error.field);
}

/** How many entries all cells hold together: what changes nothing adds none. */
export async function entriesOfAllCells(): Promise<number> {
  const cells = await Promise.all(Array.from({ length: CELLS }, (_, cell) => env.LEDGER.getByName(`cell-${cell}`).verify(CHAIN_START)));
  return cells.reduce((sum, { seq }) => sum + seq, 0);
}

/** Runs something that must add no entry anywhere. */
export async function changingNothing<Result>(run: () => Promise<Result>): Promise<Result> {
  const before = await entriesOfAllCells();
  const result = await run();
  expect(await entriesOfAllCells(), "entries in all cells").toBe(before);
  return result;
}

function expectProblem(response: Response, text: string): void {
  expect(response.headers.get("content-type")).toMatch(/^application\/json/);
  expect(response.headers.get("x-request-id")).toMatch(/^req_[0-9a-f]{32}$/);
  expect(JSON.parse(text)).toEqual(expect.objectContaining({ message: expect.stringMatching(/\S/) as string }));
  expect(JSON.parse(text)).not.toHaveProperty("error");
  expectNoSecret(text);
}
