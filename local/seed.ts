/** What a fresh local installation starts with. Every step can be repeated: a start that was cut off is completed by the next. */
import { ApiCallError, callApi, type Json } from "./api-client.ts";

/** What the seed made and later starts remember. */
export interface Seeded {
  readonly adminKey: string;
  readonly organizationId: string;
  readonly users: readonly { readonly id: string; readonly email: string; readonly role: string }[];
}

const PERMISSIONS = ["orders:read", "orders:write", "invoices:read", "invoices:pay"] as const;
const ROLES = { admin: [...PERMISSIONS], member: ["orders:read", "orders:write"] } as const;
const PEOPLE = [
  { email: "ada@example.com", first_name: "Ada", role: "admin" },
  { email: "grace@example.com", first_name: "Grace", role: "member" },
] as const;

/** The routes of the example API. */
export function exampleRoutes(upstream: string): Json[] {
  const all = (...permissions: string[]) => ({ permissions: { all: permissions } });
  return [
    { name: "health", methods: ["GET"], path: "/health", upstream, public: true },
    { name: "orders-list", methods: ["GET"], path: "/orders", upstream, ...all("orders:read") },
    { name: "orders-create", methods: ["POST"], path: "/orders", upstream, ...all("orders:write") },
    { name: "orders-stream", methods: ["GET"], path: "/orders/stream", upstream, ...all("orders:read") },
    { name: "orders-get", methods: ["GET"], path: "/orders/:id", upstream, basic: true, ...all("orders:read") },
    { name: "invoices-list", methods: ["GET"], path: "/invoices", upstream, permissions: { any: ["invoices:read", "invoices:pay"] } },
    { name: "invoices-pay", methods: ["POST"], path: "/invoices/:id/pay", upstream, ...all("invoices:read", "invoices:pay") },
    { name: "echo", methods: ["POST"], path: "/echo", upstream, ...all("orders:write") },
  ];
}

/** The very first key. The same Idempotency-Key makes a repeat answer the same key, should the first answer have been lost. */
export async function firstAdminKey(controlPlane: URL, bootstrapSecret: string): Promise<string> {
  const key = await callApi(controlPlane, bootstrapSecret, "POST", "/bootstrap", {}, "local-bootstrap");
  return String(key["value"]);
}

/** Fills the installation. */
export async function seed(controlPlane: URL, adminKey: string, upstream: string): Promise<Seeded> {
  const post = (path: string, body: Json) =>
    existing(
      callApi(
        controlPlane,
        adminKey,
        "POST",
        path,
        body,
        `seed-${path}-${JSON.stringify(body).length}-${String(body["slug"] ?? body["email"] ?? body["user_id"] ?? body["name"])}`,
      ),
    );
  for (const slug of PERMISSIONS) await post("/authorization/permissions", { slug, name: slug });
  for (const [slug, permissions] of Object.entries(ROLES)) {
    await post("/authorization/roles", { slug, name: slug });
    await callApi(controlPlane, adminKey, "PUT", `/authorization/roles/${slug}/permissions`, { permissions });
  }
  const organization = await callApi(controlPlane, adminKey, "POST", "/organizations", { name: "Acme" }, "seed-acme");
  const organizationId = String(organization["id"]);
  const users = [];
  for (const { email, first_name, role } of PEOPLE) {
    const user = await callApi(controlPlane, adminKey, "POST", "/user_management/users", { email, first_name }, `seed-${email}`);
    const id = String(user["id"]);
    await post("/user_management/organization_memberships", { user_id: id, organization_id: organizationId, role_slug: role });
    users.push({ id, email, role });
  }
  await callApi(controlPlane, adminKey, "PUT", "/routes", { routes: exampleRoutes(upstream) });
  return { adminKey, organizationId, users };
}

/** What is there already is as good as made. */
async function existing(call: Promise<Json>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof ApiCallError && error.status === 409)) throw error;
  }
}
