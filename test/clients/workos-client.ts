/** What the tests with the official WorkOS SDK share. The SDK is used as it comes: only its public constructor is told where to go. */
import { WorkOS } from "@workos-inc/node";
import { afterAll } from "vitest";
import { PublishedApi } from "../published-api.ts";
import { startTestSystem, type TestSystem } from "../system.ts";

/**
 * A system of its own for a test file, gone when its tests are over, with the SDK on it as its administrator has it; and what the
 * tests make and look at most.
 */
export async function startWorkos() {
  const system = await startTestSystem();
  afterAll(() => system[Symbol.asyncDispose]());
  const workos = sdk(system.controlPlane, system.adminKey);
  return {
    system,
    workos,
    /** An organization nobody else writes to; its id. */
    freshOrganization: async (name: string) => (await workos.organizations.createOrganization({ name })).id,
    /** A user nobody else writes to; the id. */
    freshUser: async (name: string) => (await workos.userManagement.createUser({ email: `${name}@example.com` })).id,
    /** The organization's own keys, as far as the first page goes. */
    keysOf: async (organizationId: string) => (await workos.apiKeys.listOrganizationApiKeys({ organizationId })).data,
    /** The key a value is good for, or null. */
    validated: async (value: string) => (await workos.apiKeys.createValidation({ value })).apiKey,
  };
}

/**
 * The SDK as a customer sets it up against a control plane; what it is answered is held against the document
 * that is published there, or by the control plane behind.
 */
export function sdk(controlPlane: URL, apiKey: string, publishedBy = controlPlane): WorkOS {
  return new WorkOS(apiKey, {
    apiHostname: controlPlane.hostname,
    https: controlPlane.protocol === "https:",
    port: Number(controlPlane.port),
    fetchFn: (...sent) => fetchAsPublished(publishedBy, ...sent),
  });
}

const documents = new Map<string, Promise<PublishedApi>>();

/** Fetches; an answer that is not as published becomes an error. */
async function fetchAsPublished({ origin }: URL, ...sent: Parameters<typeof fetch>): Promise<Response> {
  const { method, url } = new Request(...sent);
  const { pathname } = new URL(url);
  const response = await fetch(...sent);
  let document = documents.get(origin);
  if (!document) documents.set(origin, (document = publishedAt(origin)));
  const { status, headers } = response;
  const faults = (await document).faults(method, pathname, { status, headers, text: await response.clone().text() });
  if (faults.length > 0) throw new Error(`${method} ${pathname}: not as published: ${faults.join("; ")}`);
  return response;
}

async function publishedAt(origin: string): Promise<PublishedApi> {
  return new PublishedApi(await (await fetch(new URL("/openapi.json", origin))).json());
}

/** The status the gateway answers the holder of a key with. */
export async function statusAtGateway(system: TestSystem, apiKey: string, path = "/orders"): Promise<number> {
  const response = await fetch(new URL(path, system.gateway), { headers: { Authorization: `Bearer ${apiKey}` } });
  await response.arrayBuffer();
  return response.status;
}

/** The error a call is refused with, which must be of this class. An answer is not named in the failure: it may hold a secret. */
export async function refusalOf<Refusal extends Error>(
  call: Promise<unknown>,
  expected: abstract new (...args: never[]) => Refusal,
): Promise<Refusal> {
  try {
    await call;
  } catch (error) {
    if (error instanceof expected) return error;
    throw new Error(`refused with ${String(error)} instead of ${expected.name}`, { cause: error });
  }
  throw new Error(`answered instead of refusing with ${expected.name}`);
}

/** The item at a place, which must be there. */
export function at<Item>(items: readonly Item[], index: number): Item {
  const item = items.at(index);
  if (item === undefined) throw new Error(`there are only ${items.length} items`);
  return item;
}
