/** What is done with an organization's keys, each with the growth that it may have. */
import type { Json } from "../../local/api-client.ts";
import { timed, type Client } from "./client.ts";
import type { Bound, Operation } from "./growth.ts";
import type { ManyKeys } from "./organization.ts";

const PAGE = 20;
/** Keys that one call ends. */
const ENDED_AT_ONCE = 100;

/** Everything that is measured with so many keys in one organization. */
export function keyOperations(client: Client, keys: ManyKeys): Operation[] {
  const { organizationId, userId, maker } = keys;
  const list = `/organizations/${organizationId}/api_keys`;
  const key = () => keys.ids.at(-1) ?? "";
  const middle = () => keys.ids[Math.floor(keys.ids.length / 2)] ?? "";
  const read = (name: string, path: () => string, bound: Bound = "constant"): Operation => ({
    name,
    bound,
    run: () => timed(() => client.call(path())),
  });
  const send = (name: string, path: () => string, sent: { readonly method?: string; readonly body: Json }): Operation => ({
    name,
    bound: "constant",
    run: () => timed(() => client.call(path(), { method: "POST", ...sent })),
  });
  const preview = (filter: string, body: Json, bound: Bound = "constant"): Operation => ({
    ...send(`preview of ending by ${filter}`, () => `${list}/revocations/preview`, { body }),
    bound,
  });
  const few = { before: keys.fewMadeBefore };
  const widget = (search: string) => `/_widgets/ApiKeys/organization-api-keys?limit=${PAGE}&search=${search}`;
  const events = `/events?organization_id=${organizationId}&limit=${PAGE}`;
  const entries = `/audit_logs/entries?organization_id=${organizationId}&limit=${PAGE}`;
  return [
    read("keys: first page", () => `${list}?limit=${PAGE}`),
    read("keys: page in the middle", () => `${list}?limit=${PAGE}&after=${middle()}`),
    read("keys: last page, backwards", () => `${list}?limit=${PAGE}&before=${keys.ids[0]}`),
    read("keys of a member", () => `/user_management/users/${userId}/api_keys?organization_id=${organizationId}&limit=${PAGE}`),
    read("keys of a user, anywhere", () => `/user_management/users/${userId}/api_keys?limit=${PAGE}`),
    widgetSearch("keys by a part of the name that many have", widget("night"), "constant"),
    widgetSearch("keys by a part of the name that few have", widget("needle"), "proportional"),
    read("least-privilege report", () => `/least_privilege_report?organization_id=${organizationId}&limit=${PAGE}`),
    read(
      "least-privilege report, middle",
      () => `/least_privilege_report?organization_id=${organizationId}&limit=${PAGE}&after=${middle()}`,
    ),
    read("least-privilege report, everywhere", () => `/least_privilege_report?limit=${PAGE}`),
    read(
      "violations of the policy: first page",
      () => `/organizations/${organizationId}/api_key_policy/violations?limit=${PAGE}`,
      "up to 1,000",
    ),
    read(
      "violations of the policy: from the oldest on",
      () => `/organizations/${organizationId}/api_key_policy/violations?order=asc&limit=100`,
      "up to 1,000",
    ),
    preview("tag", { tag: "few" }),
    preview("owner", { owner_id: userId }),
    preview("maker", { created_by: maker.id }),
    preview("age", { created_before: few.before }),
    preview("permission", { permission: "invoices:pay" }, "proportional"),
    preview("last use", { last_used_before: few.before }, "proportional"),
    preview("nothing: all keys", {}, "proportional"),
    read("preview of the organization's end", () => `/organizations/${organizationId}/preview`, "proportional"),
    read("preview of a user's end", () => `/user_management/users/${userId}/preview`),
    read("preview of a permission's end", () => "/authorization/permissions/invoices:pay/preview", "proportional"),
    { name: `ending ${ENDED_AT_ONCE} by tag, previewed`, bound: "constant", run: () => endSome(client, keys, list), isLaborious: true },
    { name: "a key made and ended", bound: "constant", run: () => makeAndEnd(client, keys) },
    read("a key read", () => `/api_keys/${middle()}`),
    send("a key renamed", () => `/api_keys/${middle()}`, { method: "PATCH", body: { name: "Nightly reports" } }),
    send("a key narrowed", () => `/api_keys/${middle()}`, { method: "PATCH", body: { permissions: ["orders:read"] } }),
    send("a key rotated", () => `/api_keys/${key()}/rotate`, { body: { overlap_seconds: 0 } }),
    send("a key validated", () => "/api_keys/validations", { body: { value: keys.lastValue } }),
    read("events of the organization: first page", () => events),
    read("events of the organization: last page", () => `${events}&order=desc`),
    read("events of the organization: by type", () => `${events}&events=api_key.updated,api_key.revoked`),
    read("audit log of the organization", () => entries),
    read("audit log: by type and actor", () => `${entries}&type=api_key.created&actor_id=${maker.id}`),
    read("audit log: of one key", () => `${entries}&subject=${middle()}`),
    { name: "an expired key's event, after its end", bound: "constant", run: () => latenessOfSweep(client, keys) },
  ];

  function widgetSearch(name: string, path: string, bound: Bound): Operation {
    return { name, bound, run: () => timed(() => client.call(path, { token: keys.widgetToken })) };
  }
}

async function endSome(client: Client, keys: ManyKeys, list: string): Promise<number> {
  await keys.makeToEnd(ENDED_AT_ONCE);
  return timed(async () => {
    const { confirmation } = await client.post(`${list}/revocations/preview`, { tag: "to-end" });
    const { revoked } = await client.post(`${list}/revocations`, { tag: "to-end", confirmation });
    if (revoked !== ENDED_AT_ONCE) throw new Error(`expected to end ${ENDED_AT_ONCE} keys, not ${String(revoked)}`);
  });
}

async function makeAndEnd(client: Client, keys: ManyKeys): Promise<number> {
  const { lastValue } = keys;
  const took = await timed(async () => {
    const { id } = await keys.makeKey();
    await client.call(`/api_keys/${String(id)}`, { method: "DELETE", body: {} });
  });
  keys.ids.pop();
  keys.lastValue = lastValue;
  return took;
}

/** Time until the event can be read, from the moment that the key ends. */
async function latenessOfSweep(client: Client, keys: ManyKeys): Promise<number> {
  const LEAD_MS = 500;
  const { lastValue } = keys;
  const endsAtMs = Date.now() + LEAD_MS;
  const { id } = await keys.makeKey({ expires_at: new Date(endsAtMs).toISOString() });
  keys.ids.pop();
  keys.lastValue = lastValue;
  const since = new Date(endsAtMs).toISOString();
  const path = `/events?organization_id=${keys.organizationId}&events=api_key.expired&range_start=${since}`;
  for (;;) {
    const { data } = (await client.call(path)) as { data: { data: { id: string } }[] };
    if (data.some((event) => event.data.id === id)) return Date.now() - endsAtMs;
  }
}
