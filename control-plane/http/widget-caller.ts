/**
 * Who calls through a widget. A token is good for no more than it was made with, and for no more than there still is: on every call the
 * member's role is asked for, or the platform key that made a token without a member.
 */
import { PLATFORM_ORGANIZATION_ID } from "../../core/identifier.ts";
import { coversAny, intersect } from "../../core/permission.ts";
import { opensEverybodys, SERVED_SCOPES, type ServedScope } from "../../core/widget.ts";
import type { Actor, SelfServe } from "../ledger/command.ts";
import { readWidgetToken, type WidgetGrant } from "../widget-token.ts";
import { ApiError } from "./api-error.ts";
import type { Caller } from "./caller.ts";
import type { Services } from "./endpoint.ts";

/** What it takes to make tokens, and for those without a member to stay good. */
export const ISSUING_PERMISSION = "portcullis:widgets:write";

/** The keys that a caller through a widget reaches. */
export function ownOf({ actor: { self_serve } }: Caller): SelfServe {
  if (!self_serve) throw new Error("not called through a widget");
  return self_serve;
}

/**
 * Establishes who calls through a widget; 403 where the token is not good. Also without any token: the WorkOS widget begins before it has
 * one, and it is on 403 that it gets one and asks again.
 */
export async function throughWidget(services: Services, scope: ServedScope, bearer: string | undefined): Promise<Caller> {
  const { configuration, now } = services;
  const grant = bearer === undefined ? undefined : await readWidgetToken(bearer, configuration.widgets.tokenKey, now());
  const own = grant && keysOf(grant, scope);
  if (!grant || !own) throw refusedToken();
  const standing = await permissionsNow(services, grant, own);
  if (!standing) throw refusedToken();
  const permissions = intersect(grant.permissions, standing);
  const reached = own.keys === "user" && opensEverybodys(permissions) ? ({ ...own, keys: "members" } as const) : own;
  return { actor: actorOf(grant, reached), permissions };
}

/** Which keys a token is about on an endpoint of a scope; undefined if the token names too little for it. */
function keysOf({ organizationId, userId }: WidgetGrant, scope: ServedScope): SelfServe | undefined {
  if (organizationId === null) return undefined;
  if (scope === SERVED_SCOPES.organization) return { keys: "organization", organization_id: organizationId, user_id: userId };
  return userId === null ? undefined : { keys: "user", organization_id: organizationId, user_id: userId };
}

/**
 * What the member's role allows now; without a member everything, as long as the organization stands and the key that made the token could
 * make another. Null: the token is good no more.
 */
async function permissionsNow({ cells }: Services, { issuedBy }: WidgetGrant, own: SelfServe): Promise<readonly string[] | null> {
  const { organization_id, user_id } = own;
  const allowed = cells.ledger(cells.cellOf(organization_id)).memberPermissions(organization_id, user_id);
  // An admin who signed in elsewhere cannot be asked for here: such a token ends with the sign-in that it was made in.
  if (user_id !== null || issuedBy.type !== "api_key") return allowed;
  const held = cells.ledger(cells.cellOf(PLATFORM_ORGANIZATION_ID)).heldByPlatformKey(issuedBy.id);
  const [permissions, ofIssuer] = await Promise.all([allowed, held]);
  return coversAny(ofIssuer, ISSUING_PERMISSION) ? permissions : null;
}

/** In whose name entries are made: the member's, or that of who asked for the token. */
function actorOf({ issuedBy }: WidgetGrant, own: SelfServe): Actor {
  const who = own.user_id === null ? issuedBy : ({ type: "user", id: own.user_id } as const);
  return { ...who, self_serve: own };
}

function refusedToken(): ApiError {
  return new ApiError("widget_token_refused", "The widget's token has expired or is not good. Get another one.");
}
