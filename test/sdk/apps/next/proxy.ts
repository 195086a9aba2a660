/** Turns strangers away from everything below /fenced. */
import { requirePrincipal } from "@portcullis/sdk/next";
import { authenticator } from "./authenticator.ts";

export const proxy = requirePrincipal(authenticator);
export const config = { matcher: "/fenced/:path*" };
