/** Usage for charts: requests by hour or day, and by one thing more. */
import { HOUR_MS } from "../../core/usage/batch.ts";

/** What requests can be told apart by. */
export const GROUPS = ["organization", "api_key", "route", "permission", "status", "refusal"] as const;
export type Group = (typeof GROUPS)[number];

/** The length of a chart's steps, in ms. They begin with the hour or the day, in UTC. */
export const STEPS_MS = { hour: HOUR_MS, day: 24 * HOUR_MS } as const;

/** A question about hours that begin from `from_ms` on and before `to_ms`. What is absent is not asked about. */
export interface UsageQuestion {
  readonly organization_id?: string;
  readonly api_key_id?: string;
  readonly route?: string;
  readonly permission?: string;
  readonly from_ms: number;
  readonly to_ms: number;
  readonly granularity: keyof typeof STEPS_MS;
  readonly group_by?: Group;
  /** The last bar that is known already. */
  readonly after?: Place;
  /** Bars that are answered at most. */
  readonly limit: number;
}

/** A bar's place in the order of bars: by time, then by group. */
export interface Place {
  readonly start_ms: number;
  readonly group: string;
}

/** Requests in one step of time, of one group; the group is empty where none is asked for. */
export interface Bar extends Place {
  readonly requests: number;
}

/** A request that took several permissions is counted with each. Names come from here, values are bound. */
const COLUMNS: Readonly<Record<Group, string>> = {
  organization: "organization_id",
  api_key: "key_id",
  route: "route",
  permission: "used.value",
  status: "CAST(status AS TEXT)",
  refusal: "refusal",
};

interface Condition {
  readonly sql: string;
  readonly values: readonly SqlStorageValue[];
}

/** The next bars of one cell, in order. */
export function bars(sql: SqlStorage, question: UsageQuestion): Bar[] {
  const { from_ms, to_ms, group_by, after, limit } = question;
  const stepMs = STEPS_MS[question.granularity];
  const conditions: Condition[] = [
    { sql: "hour_ms >= ? AND hour_ms < ?", values: [Math.max(from_ms, after?.start_ms ?? 0), to_ms] },
    ...given("organization_id = ?", question.organization_id),
    ...given("key_id = ?", question.api_key_id),
    ...given("route = ?", question.route),
    ...given(
      group_by === "permission" ? "used.value = ?" : "EXISTS (SELECT 1 FROM json_each(permissions) WHERE value = ?)",
      question.permission,
    ),
  ];
  const beyond: Condition = after
    ? { sql: "HAVING (start_ms, group_name) > (?, ?)", values: [after.start_ms, after.group] }
    : { sql: "", values: [] };
  const group = group_by === undefined ? "''" : COLUMNS[group_by];
  return sql
    .exec<{ start_ms: number; group_name: string; requests: number }>(
      `SELECT hour_ms - hour_ms % ${stepMs} AS start_ms, ${group} AS group_name, sum(requests) AS requests
       FROM usage ${group_by === "permission" ? "JOIN json_each(permissions) AS used" : ""}
       WHERE ${conditions.map((condition) => condition.sql).join(" AND ")}
       GROUP BY 1, 2 ${beyond.sql} ORDER BY 1, 2 LIMIT ?`,
      ...conditions.flatMap(({ values }) => values),
      ...beyond.values,
      limit,
    )
    .toArray()
    .map(({ start_ms, group_name, requests }) => ({ start_ms, group: group_name, requests }));
}

/** The cells' bars as one chart's: each cell has answered the first ones in the same order, so the first ones of all are whole. */
export function mergeBars(parts: readonly (readonly Bar[])[], limit: number): Bar[] {
  const sums = new Map<string, Bar>();
  for (const bar of parts.flat()) {
    const name = `${bar.start_ms} ${bar.group}`;
    sums.set(name, { ...bar, requests: bar.requests + (sums.get(name)?.requests ?? 0) });
  }
  return [...sums.values()].toSorted(inOrder).slice(0, limit);
}

function inOrder(one: Bar, other: Bar): number {
  return one.start_ms - other.start_ms || (one.group < other.group ? -1 : 1);
}

function given(condition: string, value: string | undefined): Condition[] {
  return value === undefined ? [] : [{ sql: condition, values: [value] }];
}
