/** An installation inside workerd with a customer on it: made through the control plane's own HTTP API. */
import { env, exports } from "cloudflare:workers";
import { tagKeysOf } from "../../core/configuration.ts";
import { generateToken, TOKEN_ID_LENGTH } from "../../core/token.ts";
import { decodeBase64Url } from "../../control-plane/configuration.ts";
import { hmacSha256 } from "../../core/digest.ts";

export type Json = Record<string, unknown>;

/** A key as its maker sees it once. */
export interface IssuedKey {
  readonly id: string;
  readonly value: string;
}

/** Where the routes of {@link install} lead. */
export const UPSTREAM = "https://api.customer.example/base";

const ROUTES = [
  { name: "health", methods: ["GET"], path: "/health", public: true },
  { name: "orders-read", methods: ["GET"], path: "/orders", permissions: { all: ["orders:read"] } },
  { name: "orders-write", methods: ["POST"], path: "/orders", permissions: { all: ["orders:write"] } },
  { name: "orders-one", methods: ["GET"], path: "/orders/:id", basic: true, permissions: { all: ["orders:read"] } },
  { name: "reports", methods: ["GET"], path: "/reports", permissions: { any: ["reports:read", "orders:read"] } },
  { name: "admin", methods: ["GET", "POST"], path: "/admin/*", permissions: { all: ["admin:all"] } },
] as const;

/** The answer of a call to the control plane. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Json;
}

/** An installation and its administrator. */
export class Installation {
  readonly adminKey: string;

  constructor(adminKey: string) {
    this.adminKey = adminKey;
  }

  /** Calls the control plane as the administrator; any status. */
  async call(method: string, path: string, body?: unknown): Promise<Answer> {
    return callControlPlane(this.adminKey, method, path, body);
  }

  /** Calls the control plane and expects success. */
  async must(method: string, path: string, body?: unknown): Promise<Json> {
    const answer = await this.call(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** A new organization. */
  async organization(): Promise<string> {
    return text((await this.must("POST", "/organizations", { name: "Acme" }))["id"]);
  }

  /** A new user who is a member of an organization. */
  async member(organizationId: string, role: string): Promise<{ readonly userId: string; readonly membershipId: string }> {
    const user = await this.must("POST", "/user_management/users", { email: `${crypto.randomUUID()}@example.com` });
    const userId = text(user["id"]);
    return { userId, membershipId: await this.join(userId, organizationId, role) };
  }

  /** Makes a user a member of one more organization; the membership's id. */
  async join(userId: string, organizationId: string, role: string): Promise<string> {
    const asked = { user_id: userId, organization_id: organizationId, role_slug: role };
    return text((await this.must("POST", "/user_management/organization_memberships", asked))["id"]);
  }

  /** A new key of an organization. */
  async key(organizationId: string, permissions: readonly string[], more: Json = {}): Promise<IssuedKey> {
    return issued(await this.must("POST", `/organizations/${organizationId}/api_keys`, { name: "CI", permissions, ...more }));
  }

  /** A new key of a user. */
  async userKey(userId: string, organizationId: string, permissions: readonly string[]): Promise<IssuedKey> {
    const asked = { name: "Mine", organization_id: organizationId, permissions };
    return issued(await this.must("POST", `/user_management/users/${userId}/api_keys`, asked));
  }
}

/** Bootstraps the test Worker and gives it a catalogue, two roles and routes. Once per test file: storage is per file. */
export async function install(): Promise<Installation> {
  const first = await callControlPlane(env.BOOTSTRAP_SECRET, "POST", "/bootstrap", {}, { "Idempotency-Key": "first" });
  const installation = new Installation(issued(first.body).value);
  for (const slug of ["orders:read", "orders:write", "reports:read", "admin:all"])
    await installation.must("POST", "/authorization/permissions", { slug, name: slug });
  for (const [slug, permissions] of [
    ["member", ["orders:read", "orders:write"]],
    ["viewer", ["orders:read"]],
  ] as const) {
    await installation.must("POST", "/authorization/roles", { slug, name: slug });
    await installation.must("PUT", `/authorization/roles/${slug}/permissions`, { permissions });
  }
  await installation.must("PUT", "/routes", { routes: ROUTES.map((route) => ({ ...route, upstream: UPSTREAM })) });
  return installation;
}

/** One request to the control plane over its `fetch` handler. */
export async function callControlPlane(
  token: string,
  method: string,
  path: string,
  body?: unknown,
  more: Record<string, string> = {},
): Promise<Answer> {
  const response = await exports.default.fetch(
    new Request(`https://control.example${path}`, {
      method,
      headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json", ...more },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }),
  );
  const answered = await response.text();
  return { status: response.status, headers: response.headers, body: answered === "" ? {} : (JSON.parse(answered) as Json) };
}

/** The part of a key's token that names its KV record. */
export function tokenIdOf({ value }: IssuedKey): string {
  return value.slice(value.lastIndexOf("_") + 1).slice(0, TOKEN_ID_LENGTH);
}

/** A token that is genuine in form, with a right tag, but was never issued; `more` makes it wrong in one respect. */
export function unissuedToken(more: { readonly prefix?: string; readonly tagKeys?: string; readonly cell?: number } = {}): string {
  const { prefix = env.TOKEN_PREFIX, tagKeys = env.TAG_KEYS, cell = 1 } = more;
  const keys = tagKeysOf(tagKeys, decodeBase64Url);
  const ports = { randomBytes: (target: Uint8Array) => crypto.getRandomValues(target), hmacSha256 };
  return generateToken({ prefix, environment: "live", cell }, keys, ports).token;
}

function issued(body: Json): IssuedKey {
  return { id: text(body["id"]), value: text(body["value"]) };
}

function text(value: unknown): string {
  if (typeof value !== "string") throw new Error(`expected text, got ${JSON.stringify(value)}`);
  return value;
}
