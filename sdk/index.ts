/** Who is calling your API: verified behind the gateway, or asked of the control plane without one. The middleware is in the subpaths. */
export type { Authentication, Authenticator, IncomingRequest, ObservedOptions } from "./authenticator.ts";
export { ConfigurationError } from "./configuration.ts";
export { createControlPlaneAuthenticator, type ControlPlaneOptions } from "./control-plane-authenticator.ts";
export { createGatewayAuthenticator, type GatewayKeys, type GatewayOptions } from "./gateway-authenticator.ts";
export type { OrganizationPrincipal, Principal, UserPrincipal } from "./principal.ts";
export { refusalResponse, type MissingPermissions, type Refusal } from "./refusal.ts";
