/** Which replica an isolate asks: one of its region's, the same one as long as the isolate lives. */
import { regionOf, replicaName, type Whereabouts } from "../core/protocol/region.ts";
import type { GatewayConfiguration } from "./configuration.ts";

/** One isolate's choice. */
export class ReplicaChoice {
  readonly #configuration: Pick<GatewayConfiguration, "region" | "replicasPerRegion">;
  readonly #randomUuid: () => string;
  #name: string | undefined;

  constructor(configuration: Pick<GatewayConfiguration, "region" | "replicasPerRegion">, randomUuid: () => string) {
    this.#configuration = configuration;
    this.#randomUuid = randomUuid;
  }

  /** The replica's name. Where the isolate is, is told by its first request: it does not move. */
  nameFor(request: { readonly cf?: unknown }): string {
    this.#name ??= this.#choose(request.cf);
    return this.#name;
  }

  #choose(cf: unknown): string {
    const { region, replicasPerRegion } = this.#configuration;
    const slot = Number.parseInt(this.#randomUuid().slice(0, 8), 16) % replicasPerRegion;
    return replicaName(region === "auto" ? regionOf(whereabouts(cf)) : region, slot);
  }
}

/** What the platform says of where a request came in; nothing locally. */
function whereabouts(cf: unknown): Whereabouts {
  return typeof cf === "object" && cf !== null ? cf : {};
}
