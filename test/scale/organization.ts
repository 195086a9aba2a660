/** One organization with many keys, of which some have what few have: whoever asks for those gets as many however many others there are. */
import type { Json } from "../../local/api-client.ts";
import { many, type Client } from "./client.ts";

/** Keys of each kind that there are few of. */
export const FEW = 25;
const DAY_MS = 86_400_000;

/** What is needed to ask for some of its keys. */
export class ManyKeys {
  readonly organizationId: string;
  readonly userId: string;
  /** Another maker of keys, with its secret. */
  readonly maker: { readonly id: string; readonly value: string };
  readonly widgetToken: string;
  /** Ascending. */
  readonly ids: string[] = [];
  /** The secret of a key that stays. */
  lastValue = "";
  /** All keys but the first few were made after this. */
  fewMadeBefore = "";
  #client: Client;

  private constructor(client: Client, made: Pick<ManyKeys, "organizationId" | "userId" | "maker" | "widgetToken">) {
    this.#client = client;
    this.organizationId = made.organizationId;
    this.userId = made.userId;
    this.maker = made.maker;
    this.widgetToken = made.widgetToken;
  }

  /** An organization with a member and with the keys that there are few of. */
  static async make(client: Client): Promise<ManyKeys> {
    const organizationId = String((await client.post("/organizations", { name: "Many keys" }))["id"]);
    const userId = String((await client.post("/user_management/users", { email: "many@example.com" }))["id"]);
    await client.post("/user_management/organization_memberships", {
      organization_id: organizationId,
      user_id: userId,
      role_slug: "admin",
    });
    const maker = await client.post("/organizations/org_platform/api_keys", {
      name: "Another",
      permissions: ["portcullis:api_keys:write"],
    });
    const scopes = ["widgets:api-keys:manage"];
    const { token } = await client.post("/widgets/token", { organization_id: organizationId, scopes });
    const made = new ManyKeys(client, {
      organizationId,
      userId,
      maker: { id: String(maker["id"]), value: String(maker["value"]) },
      widgetToken: String(token),
    });
    await made.#makeFew();
    // Now the few are against it, and all keys to come are not.
    const policy = {
      required_networks: [{ permission: "invoices:pay", networks: ["10.0.0.0/8"] }],
      organization_key_lifetime_days_max: 400,
    };
    await client.call(`/organizations/${organizationId}/api_key_policy`, { method: "PUT", body: policy });
    return made;
  }

  /** Where to go on when the system was started again. */
  useClient(client: Client): void {
    this.#client = client;
  }

  /** As many keys as that in all. The others differ from the few in everything that can be asked for. */
  async growTo(keys: number): Promise<void> {
    await many(keys - this.ids.length, async () => void (await this.makeKey()));
    this.ids.sort();
  }

  /** One more key of the organization's own. */
  async makeKey(more: Json = {}): Promise<Json> {
    const asked = { name: "Nightly report", permissions: ["orders:read"], expires_at: inDays(300), tags: ["usual"], ...more };
    const key = await this.#client.post(`/organizations/${this.organizationId}/api_keys`, asked);
    return this.#note(key);
  }

  /** Makes keys with a tag of their own; they are to be ended again. */
  async makeToEnd(count: number): Promise<void> {
    const before = this.ids.length;
    await many(count, async () => void (await this.makeKey({ tags: ["to-end"] })));
    this.ids.length = before;
  }

  async #makeFew(): Promise<void> {
    const own = { name: "Mine", organization_id: this.organizationId, permissions: ["orders:read"], expires_at: inDays(300) };
    await many(FEW, async () => void this.#note(await this.#client.post(`/user_management/users/${this.userId}/api_keys`, own)));
    await many(FEW, async () => void (await this.makeKey({ name: "Needle", tags: ["few"], permissions: ["invoices:pay"] })));
    const path = `/organizations/${this.organizationId}/api_keys`;
    const body = { name: "Made by another", permissions: ["orders:read"], expires_at: inDays(300) };
    const { value: token } = this.maker;
    await many(FEW, async () => void this.#note(await this.#client.call(path, { method: "POST", body, token })));
    this.ids.sort();
    await new Promise((resolve) => setTimeout(resolve, 10));
    this.fewMadeBefore = new Date().toISOString();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }

  #note(key: Json): Json {
    this.ids.push(String(key["id"]));
    this.lastValue = String(key["value"]);
    return key;
  }
}

function inDays(days: number): string {
  return new Date(Date.now() + days * DAY_MS).toISOString();
}
