import { requirePermission, withPrincipal } from "@portcullis/sdk/next";
import { authenticator } from "../../authenticator.ts";

export const GET = withPrincipal(authenticator, requirePermission("orders:read"), (_, { principal }) => Response.json(principal));
