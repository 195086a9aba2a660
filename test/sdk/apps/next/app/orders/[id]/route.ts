import { requirePermission, withPrincipal } from "@portcullis/sdk/next";
import type { NextRequest } from "next/server";
import { authenticator } from "../../../authenticator.ts";

export const GET = withPrincipal(
  authenticator,
  requirePermission("orders:read", "orders:write"),
  async (_: NextRequest, { params }: { readonly params: Promise<{ id: string }> }) => Response.json((await params).id),
);
