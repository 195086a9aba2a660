/** Tokens for widgets: your server asks for one, and hands it to the page. */
import { z } from "zod";
import { isId } from "../../core/identifier.ts";
import { intersect } from "../../core/permission.ts";
import { WIDGET_SCOPES } from "../../core/widget.ts";
import { signWidgetToken } from "../widget-token.ts";
import { ApiError, invalid, notFound } from "./api-error.ts";
import { endpoint, type Section, type Services } from "./endpoint.ts";
import { ISSUING_PERMISSION } from "./widget-caller.ts";

const requested = z.object({
  organization_id: z.string().max(64).optional().describe("Needed with `scopes`. Without it the token opens nothing."),
  user_id: z.string().max(64).optional().describe("Who uses the widget: a member of the organization."),
  scopes: z.array(z.enum(WIDGET_SCOPES)).max(WIDGET_SCOPES.length).optional().describe("Absent: all that the user's role allows."),
});
type Requested = z.output<typeof requested>;

/** The endpoint that makes them. */
export const widgetTokens: Section = {
  title: "Widget tokens",
  endpoints: [
    endpoint({
      method: "POST",
      path: "/widgets/token",
      operationId: "createWidgetToken",
      summary: "Makes a token for a widget, good for an hour",
      description:
        "With a user, the token has those of the scopes that the user's role allows, and they are looked up again on every call of the widget. Without one it ends with the sign-in of the admin who asked for it, where that is sooner. Whoever may make tokens can manage customers' keys through them. Each call makes a new token.",
      access: ISSUING_PERMISSION,
      body: requested,
      replies: { 201: z.object({ token: z.string() }) },
      errors: ["entity_not_found", "membership_not_active"],
      handler: async ({ services, caller, body }) => {
        requireSubject(body);
        const { organization_id = null, user_id = null } = body;
        await requireThere(services, body);
        const permissions = await permissionsFor(services, body);
        const grant = { organizationId: organization_id, userId: user_id, permissions, issuedBy: caller.actor };
        const times = { nowMs: services.now(), ...(user_id === null && { endsByMs: caller.actor.signed_in_until_ms }) };
        return { status: 201, body: { token: await signWidgetToken(grant, services.configuration.widgets.tokenKey, times) } };
      },
    }),
  ],
};

function requireSubject({ organization_id, user_id, scopes }: Requested): void {
  if (organization_id === undefined && (user_id === undefined || scopes !== undefined)) throw needed("organization_id");
  if (user_id === undefined && scopes?.some((scope) => scope.startsWith("widgets:user-api-keys:"))) throw needed("user_id");
}

function needed(field: string): ApiError {
  return invalid([{ code: "required", field, message: "is required for that" }]);
}

/** The platform organization has no widgets: its keys govern the installation. */
async function requireThere({ cells }: Services, { organization_id, user_id }: Requested): Promise<void> {
  if (organization_id !== undefined) {
    const isThere = isId("org", organization_id) && (await cells.ledger(cells.cellOf(organization_id)).organization(organization_id));
    if (!isThere) throw notFound("Organization", organization_id);
  }
  if (user_id !== undefined && !(await cells.home().user(user_id))) throw notFound("User", user_id);
}

async function permissionsFor({ cells }: Services, { organization_id, user_id, scopes }: Requested): Promise<readonly string[]> {
  if (organization_id === undefined) return [];
  if (user_id === undefined) return scopes ?? [];
  const allowed = await cells.ledger(cells.cellOf(organization_id)).memberPermissions(organization_id, user_id);
  if (!allowed) throw notAMember();
  return intersect(scopes ?? WIDGET_SCOPES, allowed);
}

function notAMember(): ApiError {
  const message = "The user has no active membership in this organization.";
  return new ApiError("membership_not_active", message, { errors: [{ code: "membership_not_active", field: "user_id", message }] });
}
