/** How upstreams are told who is calling: by a signed assertion, by plain headers, or by both. */
import { ASSERTION_HEADER } from "../core/assertion.ts";
import { organizationOf, type ActiveRecord } from "../core/record.ts";
import { Assertions, type Caller } from "./assertion.ts";
import type { AssertionKeys } from "./assertion-keys.ts";
import type { RequestContext } from "./ports.ts";

/** Headers of a request to an upstream, names in lower case; none where there is no key. */
export type IdentityHeaders = Readonly<Record<string, string>>;

/** Of a request without a key. */
export const NOBODY: IdentityHeaders = {};

/** What upstreams get: the `Portcullis-Assertion` header, a header for each thing there is to know, or both. */
export interface IdentitySettings {
  readonly plainHeaders: boolean;
  /** Null: no assertion. */
  readonly assertionKeys: AssertionKeys | null;
}

/** One isolate's way to say who is calling. */
export class UpstreamIdentity {
  readonly #plainHeaders: boolean;
  readonly #assertions: Assertions | undefined;

  constructor({ plainHeaders, assertionKeys }: IdentitySettings) {
    this.#plainHeaders = plainHeaders;
    this.#assertions = assertionKeys ? new Assertions(assertionKeys) : undefined;
  }

  /** The headers; a promise of them when something must be signed first. */
  headersOf(caller: Caller, nowMs: number, context: RequestContext): IdentityHeaders | Promise<IdentityHeaders> {
    if (!this.#assertions) return this.#with(caller, undefined);
    const assertion = this.#assertions.atHand(caller, nowMs, (renewal) => context.waitUntil(renewal));
    if (assertion !== undefined) return this.#with(caller, assertion);
    return this.#assertions.sign(caller, nowMs).then((signed) => this.#with(caller, signed));
  }

  #with({ record }: Caller, assertion: string | undefined): IdentityHeaders {
    const plain = this.#plainHeaders ? plainHeadersOf(record) : {};
    return assertion === undefined ? plain : { ...plain, [ASSERTION_HEADER]: assertion };
  }
}

/** Who is calling, and what they may do. */
function plainHeadersOf(record: ActiveRecord): IdentityHeaders {
  const { owner } = record;
  return {
    "portcullis-key-id": record.key_id,
    "portcullis-environment": record.environment,
    "portcullis-organization-id": organizationOf(record),
    "portcullis-permissions": record.permissions.join(" "),
    ...(owner.type === "user" && { "portcullis-user-id": owner.id }),
  };
}
