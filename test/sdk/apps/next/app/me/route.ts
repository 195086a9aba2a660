import { authenticatedOnly, withPrincipal } from "@portcullis/sdk/next";
import { authenticator } from "../../authenticator.ts";
import { clientAddress } from "../../client-address.ts";

export const GET = withPrincipal(authenticator, authenticatedOnly, (_, { principal }) => Response.json(principal), { clientAddress });
