/** What the gateway answers itself, under a path that no route can have. */
import { KEY_SET_PATH } from "../core/assertion.ts";
import { sha256Hex } from "../core/digest.ts";
import type { Candidate } from "../core/edge/candidate.ts";
import type { Refused } from "../core/edge/request.ts";
import { equalInConstantTime } from "../core/constant-time.ts";
import { keySetResponse } from "./assertion-keys.ts";
import type { GatewayConfiguration } from "./configuration.ts";
import type { HealthCheck } from "./health.ts";
import { healthResponse } from "./health-response.ts";
import type { Asker } from "./ledger-access.ts";

/** Where all of it is. */
export const OWN_PATHS = "/.well-known/portcullis/";
/** Path of the gateway's health. */
const HEALTH_PATH = `${OWN_PATHS}health`;
/** Header of a request for the health's details, with HEALTH_SECRET. */
const HEALTH_SECRET_HEADER = "portcullis-health-secret";

/** One isolate's endpoints of its own. */
export class OwnEndpoints {
  readonly #configuration: Pick<GatewayConfiguration, "identity" | "healthSecret">;
  readonly #health: HealthCheck;

  constructor(configuration: Pick<GatewayConfiguration, "identity" | "healthSecret">, health: HealthCheck) {
    this.#configuration = configuration;
    this.#health = health;
  }

  /** `GET` and `HEAD` of what is there, a refusal of other methods; undefined where nothing of ours is. */
  async answer({ path, method }: Candidate, request: Request, asker: Asker): Promise<Response | Refused | undefined> {
    const { assertionKeys } = this.#configuration.identity;
    const isKeySet = path === KEY_SET_PATH && assertionKeys !== null;
    if (!isKeySet && path !== HEALTH_PATH) return undefined;
    if (method !== "GET" && method !== "HEAD") return { reason: "method_not_allowed" };
    const response = isKeySet ? keySetResponse(assertionKeys) : await this.#healthOf(request, asker);
    return method === "HEAD" ? new Response(null, response) : response;
  }

  async #healthOf({ headers }: Request, asker: Asker): Promise<Response> {
    const presented = headers.get(HEALTH_SECRET_HEADER);
    return healthResponse(await this.#health.report(asker), presented !== null && this.#isOperator(presented));
  }

  /** By digests, so that not even a length can be learnt. */
  #isOperator(presented: string): boolean {
    const { healthSecret } = this.#configuration;
    return healthSecret !== null && equalInConstantTime(sha256Hex(presented), sha256Hex(healthSecret));
  }
}
