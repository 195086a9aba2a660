/** What is told under which name. Names and units follow Prometheus's conventions; no label holds the id of a key, an organization or a user. */
import { DURATION_BOUNDS_MS, type CountedEvent, type Outcome } from "../../core/metrics/counts.ts";
import { TOLD, type Reason } from "../../core/reason.ts";
import type { CellStanding } from "../ledger/cell-standing.ts";
import type { Family, Labels } from "./exposition.ts";
import type { GatewayCounters } from "./gateway-counters.ts";

/** How cells stand, by number; null for one that did not answer. */
export type Standings = readonly (CellStanding | null)[];

const MS_PER_S = 1_000;

/** Families of what gateways have counted. */
export function gatewayFamilies({ routes, events, calls, leases }: GatewayCounters): Family[] {
  const perRoute = [...routes];
  const perCall = nested(calls, (region, dependency) => ({ dependency, region }));
  const perLease = nested(leases, (region, cell) => ({ cell, region }));
  const counter = (name: string, help: string, samples: readonly { readonly labels: Labels; readonly value: number }[]): Family => ({
    type: "counter",
    name,
    help,
    samples,
  });
  const event = (name: CountedEvent) => [{ labels: {}, value: events[name] }];
  return [
    counter(
      "portcullis_decisions_total",
      "Requests decided by gateways. code is the class of the answer's status, reason why it was refused, route is empty where none was found.",
      perRoute.flatMap(([route, { outcomes }]) =>
        (Object.entries(outcomes) as [Outcome, number][]).map(([outcome, value]) => ({
          labels: { ...outcomeLabels(outcome), route },
          value,
        })),
      ),
    ),
    {
      type: "histogram",
      name: "portcullis_request_duration_seconds",
      help: "From the arrival of a request at a gateway to the head of its answer. Only I/O moves a gateway's clock.",
      bounds: DURATION_BOUNDS_MS.map((ms) => ms / MS_PER_S),
      samples: perRoute.map(([route, { durations, durationMs }]) => ({ labels: { route }, counts: durations, sum: durationMs / MS_PER_S })),
    },
    counter("portcullis_stale_decisions_total", "Requests decided without the ledger, as their routes allow.", event("stale_decision")),
    counter(
      "portcullis_unlimited_decisions_total",
      "Requests let through without a limiter, as their routes allow.",
      event("unlimited_decision"),
    ),
    counter(
      "portcullis_usage_batches_dropped_total",
      "Batches of usage that gateways dropped, as none were taken.",
      event("usage_dropped"),
    ),
    counter(
      "portcullis_dependency_calls_total",
      "Questions of gateways to KV, a replica, a cell or a limiter.",
      perCall.map(({ labels, asked }) => ({ labels, value: asked })),
    ),
    counter(
      "portcullis_dependency_answers_total",
      "Those of them that were answered.",
      perCall.map(({ labels, answered }) => ({ labels, value: answered })),
    ),
    counter(
      "portcullis_lease_requests_total",
      "How often gateways asked their replica for a lease on a cell.",
      perLease.map(({ labels, asked }) => ({ labels, value: asked })),
    ),
    counter(
      "portcullis_leases_granted_total",
      "How often they got one.",
      perLease.map(({ labels, answered }) => ({ labels, value: answered })),
    ),
  ];
}

/** Families of how the ledger stands at this moment. */
export function ledgerFamilies(standings: Standings): Family[] {
  const ofCell = (value: (standing: CellStanding) => number) =>
    standings.flatMap((standing, cell) => (standing ? [{ labels: { cell: String(cell) }, value: value(standing) }] : []));
  const gauge = (name: string, help: string, value: (standing: CellStanding) => number): Family => ({
    type: "gauge",
    name,
    help,
    samples: ofCell(value),
  });
  return [
    {
      type: "gauge",
      name: "portcullis_cell_up",
      help: "Whether a cell of the ledger answered just now.",
      samples: standings.map((standing, cell) => ({ labels: { cell: String(cell) }, value: standing ? 1 : 0 })),
    },
    { type: "counter", name: "portcullis_ledger_entries_total", help: "Entries of a cell.", samples: ofCell(({ seq }) => seq) },
    gauge(
      "portcullis_unpublished_records",
      "Records that are not in KV yet as they should be; 1000 means at least.",
      (each) => each.publications,
    ),
    gauge("portcullis_publication_attempts", "How often one of those was tried in vain, at most.", (each) => each.publication_attempts),
    gauge("portcullis_pending_receipts", "Entries that are not in force everywhere yet; 1000 means at least.", (each) => each.receipts),
    gauge(
      "portcullis_oldest_pending_receipt_seconds",
      "Since the oldest of those was committed.",
      (each) => each.oldest_receipt_ms / MS_PER_S,
    ),
    gauge("portcullis_replicas", "Replicas that may be answering for a cell.", (each) => each.replicas),
  ];
}

/** Whether the stores answered in which gateways' counters are kept. */
export function storeFamily(areUp: readonly boolean[]): Family {
  return {
    type: "gauge",
    name: "portcullis_usage_store_up",
    help: "Whether a cell's usage store answered just now. While one does not, what gateways counted is left out.",
    samples: areUp.map((isUp, cell) => ({ labels: { cell: String(cell) }, value: isUp ? 1 : 0 })),
  };
}

function outcomeLabels(outcome: Outcome): Labels {
  if (/^[1-5]xx$/.test(outcome)) return { decision: "allow", reason: "", code: outcome };
  return { decision: "deny", reason: outcome, code: `${Math.floor(TOLD[outcome as Reason].status / 100)}xx` };
}

function nested<Count>(
  counts: Readonly<Record<string, Readonly<Record<string, Count>>>>,
  labelsOf: (outer: string, inner: string) => Labels,
) {
  return Object.entries(counts).flatMap(([outer, inners]) =>
    Object.entries(inners).map(([inner, count]) => ({ labels: labelsOf(outer, inner), ...count })),
  );
}
