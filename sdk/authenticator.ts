/** Finding out whom a request is from; the part that is the same for every framework. */
import type { Principal } from "./principal.ts";
import type { Refusal } from "./refusal.ts";

/** What an authenticator looks at. */
export interface IncomingRequest {
  readonly headers: Headers;
  /**
   * The client's network address, for keys that are bound to networks: without it they are refused. Only what your own server or proxy
   * says of it, never a header that the client can set. Behind a gateway it is not needed.
   */
  readonly clientAddress?: string | undefined;
}

/** Whom a request is from, or why that cannot be told. */
export type Authentication =
  | { readonly authenticated: true; readonly principal: Principal }
  | { readonly authenticated: false; readonly refusal: Refusal };

/** Make one when your program starts, and keep it: it remembers what may be remembered. */
export interface Authenticator {
  /** Never lets a request pass because something failed: what cannot be verified is refused, what is wrong in here rejects. */
  authenticate(request: IncomingRequest): Promise<Authentication>;
}

/** Options of every authenticator. */
export interface ObservedOptions {
  /** Is told of each request whose caller could not be established, with its cause; for your log. */
  readonly onRefusal?: (refusal: Refusal) => void;
}

/** The authenticator that finds out in this way. */
export function authenticatorOf(
  { onRefusal }: ObservedOptions,
  find: (request: IncomingRequest) => Promise<Principal | Refusal>,
): Authenticator {
  return {
    async authenticate(request) {
      const found = await find(request);
      if ("keyId" in found) return { authenticated: true, principal: found };
      onRefusal?.(found);
      return { authenticated: false, refusal: found };
    },
  };
}
