import { requireAnyPermission, withPrincipal } from "@portcullis/sdk/next";
import { authenticator } from "../../authenticator.ts";

export const GET = withPrincipal(authenticator, requireAnyPermission("invoices:read", "invoices:pay"), () => Response.json("invoices"));
