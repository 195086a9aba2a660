/** Every endpoint with every permission: who gets in is what the endpoint declares, and nobody else. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import type { Access, Endpoint } from "../../control-plane/http/endpoint.ts";
import { ENDPOINTS } from "../../control-plane/http/sections.ts";
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { PLATFORM_PERMISSIONS, type PlatformPermission } from "../../core/permission.ts";
import { isServedScope } from "../../core/widget.ts";
import { ask, changingNothing } from "./control-plane-client.ts";
import { nameOf, pathOf } from "./every-endpoint.ts";
import { install, type Installation } from "./installation.ts";

/** A caller, and what it may do as a platform key; null for who is none. */
interface Holder {
  readonly name: string;
  readonly token: string | null;
  readonly permissions: readonly PlatformPermission[] | null;
}

/** `in`: past the door, whatever comes then. `no widget`: the widgets' own 403. */
type Verdict = "in" | "401" | "403" | "no widget" | `unexpected ${string}`;

let holders: readonly Holder[] = [];
beforeAll(async () => {
  const installation = await install();
  holders = [...(await platformKeys(installation)), ...(await nobodies(installation))];
});

async function platformKeys(installation: Installation): Promise<Holder[]> {
  const key = async (name: string, permissions: readonly PlatformPermission[]): Promise<Holder> => {
    const { value } = await installation.key(PLATFORM_ORGANIZATION_ID, permissions);
    return { name, token: value, permissions };
  };
  const keys = [await key("none", [])];
  for (const permission of PLATFORM_PERMISSIONS) {
    keys.push(await key(`only ${permission}`, [permission]));
    const others = PLATFORM_PERMISSIONS.filter((each) => each !== permission);
    keys.push(await key(`all but ${permission}`, others));
  }
  return keys;
}

async function nobodies(installation: Installation): Promise<Holder[]> {
  const revoked = await installation.key(PLATFORM_ORGANIZATION_ID, PLATFORM_PERMISSIONS);
  await installation.must("DELETE", `/api_keys/${revoked.id}`);
  const expired = await installation.key(PLATFORM_ORGANIZATION_ID, PLATFORM_PERMISSIONS);
  await installation.must("POST", `/api_keys/${expired.id}/expire`, {});
  return [
    { name: "no key", token: null, permissions: null },
    { name: "a revoked key", token: revoked.value, permissions: null },
    { name: "an expired key", token: expired.value, permissions: null },
    { name: "a customer's key with slugs that look alike", token: await lookAlikeKey(installation), permissions: null },
  ];
}

async function lookAlikeKey(installation: Installation): Promise<string> {
  const slugs = ["portcullis", "api_keys:write", "portcullis.api_keys:write", "portcullis-:api_keys:write", "xportcullis:api_keys:write"];
  for (const slug of slugs) await installation.must("POST", "/authorization/permissions", { slug, name: slug });
  return (await installation.key(await installation.organization(), slugs)).value;
}

function declared(access: Access, { permissions }: Holder): Verdict {
  if (access === "public") return "in";
  if (isServedScope(access)) return "no widget";
  if (access === "bootstrap_secret" || access === "signed_url" || !permissions) return "401";
  if (access === "any_platform_key") return "in";
  return permissions.includes(access) ? "in" : "403";
}

async function verdict(endpoint: Endpoint, { token }: Holder): Promise<Verdict> {
  const { status, body } = await ask(token, endpoint.method, pathOf(endpoint), endpoint.method === "GET" ? {} : { json: {} });
  if (status === 401) return "401";
  if (status === 403 && body["code"] === "widget_token_refused") return "no widget";
  if (status === 403) {
    const isAsDeclared = body["code"] === "insufficient_permissions" && String(body["missing_permissions"]) === endpoint.access;
    return isAsDeclared ? "403" : `unexpected ${JSON.stringify(body)}`;
  }
  return status < 500 ? "in" : `unexpected ${status}`;
}

async function verdicts(endpoint: Endpoint, asking: readonly Holder[]): Promise<[name: string, Verdict][]> {
  return Promise.all(asking.map(async (holder) => [holder.name, await verdict(endpoint, holder)]));
}

describe.each(ENDPOINTS.map((endpoint) => [nameOf(endpoint), endpoint] as const))("%s", (_, endpoint) => {
  const expected = (asking: readonly Holder[]) => asking.map((holder) => [holder.name, declared(endpoint.access, holder)]);
  const isIn = (holder: Holder) => declared(endpoint.access, holder) === "in";

  it("refuses everyone it is not declared for, and changes nothing", async () => {
    const outside = holders.filter((holder) => !isIn(holder));
    expect(await changingNothing(() => verdicts(endpoint, outside))).toEqual(expected(outside));
  });

  it("lets everyone in whom it is declared for", async () => {
    const inside = holders.filter(isIn);
    expect(await verdicts(endpoint, inside)).toEqual(expected(inside));
  });
});

it("the bootstrap secret opens what is declared for it, and nothing else", async () => {
  const secret: Holder = { name: "the bootstrap secret", token: env.BOOTSTRAP_SECRET, permissions: null };
  for (const endpoint of ENDPOINTS) {
    const opens = endpoint.access === "bootstrap_secret" || endpoint.access === "public";
    const refused = isServedScope(endpoint.access) ? "no widget" : "401";
    expect([nameOf(endpoint), await verdict(endpoint, secret)]).toEqual([nameOf(endpoint), opens ? "in" : refused]);
  }
});
