/** A health report over HTTP, in the form of draft-inadarei-api-health-check-06. */
import type { CellHealth, HealthReport, HealthStatus } from "./health.ts";

/** One member of a list under `checks`. */
interface Check {
  readonly status: HealthStatus;
  readonly componentId?: string;
  readonly observedValue?: number | string;
  readonly observedUnit?: string;
  readonly output?: string;
  readonly [more: string]: unknown;
}

/** 200, or 503 with status `fail`. Anybody is told the status, the operator what it is made up of. */
export function healthResponse(report: HealthReport, isForOperator: boolean): Response {
  const { status, atMs } = report;
  const body = isForOperator ? { status, time: new Date(atMs).toISOString(), checks: checksOf(report) } : { status };
  const headers = { "Content-Type": "application/health+json", "Cache-Control": "no-store" };
  return new Response(JSON.stringify(body), { status: status === "fail" ? 503 : 200, headers });
}

function checksOf({ kv, replica, cells }: HealthReport): Readonly<Record<string, readonly Check[]>> {
  return {
    "kv:responseTime": [timed(kv.answers, kv.ms, "warn", "KV did not answer; gateways ask the ledger in its place")],
    "replica:responseTime": [{ componentId: replica.name, ...timed(replica.answers, replica.ms, "fail", "the replica did not answer") }],
    "cell:answers": cells.map(answerOf),
    "lease:age": cells.map(leaseOf),
  };
}

function timed(answers: boolean, ms: number, otherwise: HealthStatus, output: string): Check {
  const observed = { observedValue: ms, observedUnit: "ms" };
  return answers ? { status: "pass", ...observed } : { status: otherwise, ...observed, output };
}

function answerOf({ cell, answers }: CellHealth): Check {
  const componentId = String(cell);
  if (answers === null) return { componentId, status: "warn", output: "not known: the replica did not answer" };
  return answers ? { componentId, status: "pass" } : { componentId, status: "warn", output: "the cell did not answer the replica" };
}

function leaseOf({ cell, lease }: CellHealth): Check {
  const componentId = String(cell);
  if (!lease) return { componentId, status: "fail", output: "there has been no lease yet" };
  const { live, renewed, ageMs, untilMs, seq } = lease;
  const observed = { observedValue: ageMs, observedUnit: "ms", live, until: new Date(untilMs).toISOString(), seq };
  if (!live) return { componentId, status: "fail", ...observed, output: "it has run out: what the cell speaks for is refused" };
  return renewed
    ? { componentId, status: "pass", ...observed }
    : { componentId, status: "warn", ...observed, output: "it could not be renewed" };
}
