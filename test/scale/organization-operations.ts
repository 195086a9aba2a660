/** Many organizations, and what is done over all of them. */
import { many, timed, type Client } from "./client.ts";
import type { Operation } from "./growth.ts";

/** Organizations that one user is a member of where the number is always the same. */
const SOME = 20;

/** Organizations that are made a number at a time. */
export class ManyOrganizations {
  readonly ids: string[] = [];
  readonly #client: Client;
  #users = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  /** As many organizations as that in all, each known by an external id and with a key. */
  async growTo(organizations: number): Promise<void> {
    const before = this.ids.length;
    await many(organizations - before, async (at) => {
      const { id } = await this.#client.post("/organizations", { name: "One of many", external_id: `customer-${before + at}` });
      await this.#client.post(`/organizations/${String(id)}/api_keys`, { name: "CI", permissions: ["orders:read"] });
      this.ids.push(String(id));
    });
    this.ids.sort();
  }

  /** A user who is a member of so many organizations, with a key in each; the user's id. */
  async makeUser(memberships: number): Promise<string> {
    const email = `of-many-${this.#users++}@example.com`;
    const userId = String((await this.#client.post("/user_management/users", { email }))["id"]);
    await many(memberships, async (at) => {
      const organization_id = this.ids[at] ?? "";
      const membership = { user_id: userId, organization_id, role_slug: "member" };
      await this.#client.post("/user_management/organization_memberships", membership);
      await this.#client.post(`/user_management/users/${userId}/api_keys`, { name: "Mine", organization_id, permissions: ["orders:read"] });
    });
    return userId;
  }
}

/** Everything that is measured with so many organizations. */
export function organizationOperations(client: Client, organizations: ManyOrganizations): Operation[] {
  const { ids } = organizations;
  const list = "/organizations?limit=20";
  const read = (name: string, path: () => string): Operation => ({
    name,
    bound: "constant",
    run: () => timed(() => client.call(path())),
  });
  const middle = () => ids[Math.floor(ids.length / 2)] ?? "";
  let slugs = 0;
  const offboard = async (memberships: number) => {
    const userId = await organizations.makeUser(memberships);
    return timed(() => client.call(`/user_management/users/${userId}`, { method: "DELETE", body: {} }));
  };
  return [
    read("organizations: first page", () => list),
    read("organizations: page in the middle", () => `${list}&after=${middle()}`),
    read("organizations: last page, backwards", () => `${list}&before=${ids[0]}`),
    read("an organization by external id", () => `/organizations/external_id/customer-${Math.floor(ids.length / 2)}`),
    read("audit log of everything", () => "/audit_logs/entries?limit=20"),
    read("events of everything", () => "/events?limit=20&order=desc"),
    {
      name: "a permission added, in every cell",
      bound: "constant",
      run: () => timed(() => client.post("/authorization/permissions", { slug: `scale:${ids.length}-${slugs++}`, name: "Scale" })),
    },
    { name: `a user in ${SOME} organizations offboarded`, bound: "constant", run: () => offboard(SOME), isLaborious: true },
    { name: "a user in every organization offboarded", bound: "proportional", run: () => offboard(ids.length), isLaborious: true },
  ];
}
