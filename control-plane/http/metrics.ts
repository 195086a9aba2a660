/** Metrics, for Prometheus and whatever reads its format. Ours. */
import { withDeadline } from "../../platform/deadline.ts";
import { exposition, EXPOSITION_MEDIA_TYPE, type Family } from "../metrics/exposition.ts";
import { gatewayFamilies, ledgerFamilies, storeFamily, type Standings } from "../metrics/families.ts";
import { sumCounters, type GatewayCounters } from "../metrics/gateway-counters.ts";
import { endpoint, type Section, type Services } from "./endpoint.ts";
import { ok } from "./reply.ts";

/** Milliseconds after which a cell or its store counts as not answering: less than scrapers wait. */
const PATIENCE_MS = 3_000;

/** The endpoint that is scraped. */
export const metrics: Section = {
  title: "Metrics",
  endpoints: [
    endpoint({
      method: "GET",
      path: "/metrics",
      operationId: "getMetrics",
      summary: "What gateways have counted and how the ledger stands, in Prometheus's text format",
      description:
        "Gateways send what they have counted every ten seconds, so it is there half a minute after it happened at the latest. A cell that does not answer is told as " +
        "`portcullis_cell_up` 0; while a usage store does not answer, what gateways counted is left out, as a part of it would look like counters that began anew.",
      access: "portcullis:metrics:read",
      replies: { 200: { mediaType: EXPOSITION_MEDIA_TYPE } },
      handler: async ({ services }) => {
        const [standings, shares] = await Promise.all([standingsOf(services), sharesOf(services)]);
        return ok(exposition([...ledgerFamilies(standings), ...familiesOf(shares)]));
      },
    }),
  ],
};

async function standingsOf({ cells }: Services): Promise<Standings> {
  return Promise.all(cells.all().map((ledger) => orNull(ledger.standing())));
}

async function sharesOf({ cells, usage }: Services): Promise<readonly (GatewayCounters | null)[]> {
  return Promise.all(Array.from({ length: cells.count }, (_, cell) => orNull(usage.store(cell).gatewayCounters())));
}

function familiesOf(shares: readonly (GatewayCounters | null)[]): Family[] {
  const there = shares.filter((share) => share !== null);
  const up = storeFamily(shares.map((share) => share !== null));
  return there.length < shares.length ? [up] : [up, ...gatewayFamilies(sumCounters(there))];
}

async function orNull<Answer>(question: Promise<Answer>): Promise<Answer | null> {
  return withDeadline(question, PATIENCE_MS).catch(() => null);
}
