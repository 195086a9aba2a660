/** Two organizations with members who manage keys through widgets, as the WorkOS widgets call. */
import { exports } from "cloudflare:workers";
import { expect } from "vitest";
import { ask, keepSecret } from "./control-plane-client.ts";
import { install, type Answer, type Installation, type IssuedKey, type Json } from "./installation.ts";

/** The endpoints of one scope. */
export interface Widget {
  readonly scope: "organization" | "user";
  readonly list: string;
  readonly permissions: string;
  readonly key: (id: string) => string;
}

/** What each scope of the widget calls. */
export const WIDGETS: Readonly<Record<Widget["scope"], Widget>> = {
  organization: {
    scope: "organization",
    list: "/_widgets/ApiKeys/organization-api-keys",
    permissions: "/_widgets/ApiKeys/permissions",
    key: (id) => `/_widgets/ApiKeys/${id}`,
  },
  user: {
    scope: "user",
    list: "/_widgets/UserApiKeys/api-keys",
    permissions: "/_widgets/UserApiKeys/permissions",
    key: (id) => `/_widgets/UserApiKeys/${id}`,
  },
};

/** The page that the widgets are on. */
export const APP = "https://app.example.com";

/** Somebody with a widget. */
export interface Member {
  readonly userId: string;
  readonly membershipId: string;
  readonly organizationId: string;
  readonly token: string;
}

/** An installation with roles for those who manage keys. */
export class WidgetWorld {
  readonly installation: Installation;

  private constructor(installation: Installation) {
    this.installation = installation;
  }

  /** Roles: `boss` may all there is; `holder` reads orders and manages own keys; `lead` does too, and manages the organization's. */
  static async make(): Promise<WidgetWorld> {
    const world = new WidgetWorld(await install());
    for (const slug of ["widgets:api-keys:manage", "widgets:user-api-keys:manage-self", "widgets:user-api-keys:manage-all"])
      await world.installation.must("POST", "/authorization/permissions", { slug, name: slug, enabled_for: NO_KEYS });
    const own = ["orders:read", "widgets:user-api-keys:manage-self"];
    await world.role("holder", own);
    await world.role("lead", [...own, "widgets:api-keys:manage"]);
    await world.role("boss", [...own, "widgets:api-keys:manage", "orders:write", "reports:read", "admin:all"]);
    return world;
  }

  /** A role that allows this. */
  async role(slug: string, permissions: readonly string[]): Promise<void> {
    await this.installation.call("POST", "/authorization/roles", { slug, name: slug });
    await this.installation.must("PUT", `/authorization/roles/${slug}/permissions`, { permissions });
  }

  /** A new member with a token for all that the role allows. */
  async member(organizationId: string, role: string): Promise<Member> {
    const { userId, membershipId } = await this.installation.member(organizationId, role);
    const token = await this.token({ organization_id: organizationId, user_id: userId });
    return { userId, membershipId, organizationId, token };
  }

  /** A token. */
  async token(asked: Json): Promise<string> {
    const { token } = await this.installation.must("POST", "/widgets/token", asked);
    keepSecret(token);
    return String(token);
  }
}

const NO_KEYS = { user_api_keys: false, organization_api_keys: false };

/** A call as the WorkOS widget makes it, from the app's page. */
export async function call(
  token: string | null,
  method: string,
  path: string,
  json?: unknown,
  more: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const headers = {
    "Content-Type": "application/json",
    "WorkOS-Widgets-Version": "1",
    "WorkOS-Widgets-Type": "api-keys",
    Origin: APP,
    ...more,
  };
  const answer = await ask(token, method, path, { headers, ...(json !== undefined && { json }) });
  expect(answer.headers.get("access-control-allow-origin")).toBe(APP);
  expect(answer.headers.get("content-type")).toBe("application/json");
  return answer;
}

/** Makes a key through a widget. */
export async function make(token: string, { list }: Widget, more: Json = {}): Promise<IssuedKey> {
  const { status, body } = await call(token, "POST", list, { name: "Mine", permissions: [], expiresAt: null, ...more });
  if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
  return { id: String(body["id"]), value: String(body["value"]) };
}

/** The names of the keys that a widget shows, in its order. */
export async function names(token: string, { list }: Widget, query = ""): Promise<unknown[]> {
  return rows(await call(token, "GET", list + query)).map((row) => row["name"]);
}

/** The rows of an answer. */
export function rows({ body }: Answer): readonly Json[] {
  return body["data"] as readonly Json[];
}

/** A request from a page, as it is. */
export async function fromPage(
  origin: string,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const response = await exports.default.fetch(
    new Request(`https://control.example${path}`, { method, headers: { Origin: origin, ...headers } }),
  );
  await response.arrayBuffer();
  return response;
}
