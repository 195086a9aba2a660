/** What the compiler must and must not accept of the package's types. It is compiled, never run. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createControlPlaneAuthenticator, createGatewayAuthenticator, type Principal } from "@portcullis/sdk";
import * as node from "@portcullis/sdk/express";
import * as next from "@portcullis/sdk/next";

declare const principal: Principal;
declare const request: IncomingMessage;
declare const response: ServerResponse;

export const user: string = principal.type === "user" ? principal.userId : principal.organizationId;
// @ts-expect-error An organization's key has no user.
export const guess: string = principal.userId;
// @ts-expect-error Without an audience what the gateway said to another API would be believed.
createGatewayAuthenticator({ gateway: "https://gateway.example.com" });
// @ts-expect-error The keys come from one place.
createGatewayAuthenticator({ gateway: "https://gateway.example.com", keySet: { keys: [] }, audience: "https://api.example.com" });
// @ts-expect-error Nothing is demanded.
node.requirePermission();
// @ts-expect-error Nothing is demanded.
next.requireAnyPermission();

const authenticator = createControlPlaneAuthenticator({ controlPlane: "https://keys.example.com", apiKey: "pc_live_" });
node.authenticate(authenticator)(request, response, () => undefined);
/** As Next.js calls it. */
export const GET: (request: Request, context: { params: Promise<{ id: string }> }) => Promise<Response> = next.withPrincipal(
  authenticator,
  next.requirePermission("orders:read"),
  async (_: Request, { principal: caller, params }: { principal: Principal; params: Promise<{ id: string }> }) =>
    Response.json([caller.keyId, (await params).id]),
);
