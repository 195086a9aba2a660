/** The first five minutes with Portcullis, as text to paste. */
import type { Platform } from "./platform.ts";
import type { Seeded } from "./seed.ts";

/** What `npm start` prints once everything runs. */
export function transcriptText(platform: Pick<Platform, "gateway" | "controlPlane" | "exampleApi">, seeded: Seeded): string {
  const gateway = platform.gateway.origin;
  const controlPlane = platform.controlPlane.origin;
  const admin = seeded.users[0];
  return `
Portcullis is running. Ctrl-C stops it; what you did is still there next time.

  gateway        ${gateway}   your customers' requests come here
  control plane  ${controlPlane}   keys are made and ended here
  example API    ${platform.exampleApi.origin}   the service behind the gateway

  admin key      ${seeded.adminKey}
  organization   ${seeded.organizationId}   (Acme; ${seeded.users.map((user) => `${user.email} is ${user.role}`).join(", ")})

Try it, in another terminal (or let it play by itself: npm run demo):

  export ADMIN=${seeded.adminKey}

  # 1. Create a key that may read orders. The answer shows its value once: copy it and its id.
  curl -s ${controlPlane}/organizations/${seeded.organizationId}/api_keys -H "Authorization: Bearer $ADMIN" -H 'Content-Type: application/json' -d '{"name":"First key","permissions":["orders:read"]}'
  export KEY=pc_live_...  KEY_ID=api_key_...

  # 2. Call the API through the gateway: 200.
  curl -i ${gateway}/orders -H "Authorization: Bearer $KEY"

  # 3. A route that needs another permission: 403, naming it.
  curl -i ${gateway}/invoices -H "Authorization: Bearer $KEY"

  # 4. Revoke the key: 204. When this returns, it is dead.
  curl -i -X DELETE ${controlPlane}/api_keys/$KEY_ID -H "Authorization: Bearer $ADMIN"

  # 5. The very next request: 401.
  curl -i ${gateway}/orders -H "Authorization: Bearer $KEY"

A key for a person instead: POST ${controlPlane}/user_management/users/${admin?.id ?? "<user>"}/api_keys
`;
}
