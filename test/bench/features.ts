/** What the gateway can do beside deciding, each measured by itself and all together. */

/** Where pages may come from that call the routes with `cors`. */
export const PAGE_ORIGIN = "https://app.example.com";

const limits = [
  { kind: "rate", name: "often", per: "key", limit: 1_000_000_000, window: 60 },
  { kind: "quota", name: "much", per: "organization", limit: 1_000_000_000, period: "day" },
];
const headers = { request: { set: { "X-Tenant": "acme" } }, response: { remove: ["Server"], set: { "X-Frame-Options": "DENY" } } };
const cors = { origins: [PAGE_ORIGIN], exposed: ["ETag"] };
const timeouts = { firstByte: 5_000, idle: 5_000 };

/** Members of routes, by the name of the path and of the row that measures them. */
export const FEATURE_ROUTES = {
  with_limits: { limits },
  with_header_rules: { headers },
  with_cors: { cors },
  with_timeouts: { timeouts },
  all_features: { limits, headers, cors },
} as const;

/** A route that does more than decide. */
export type FeatureRoute = keyof typeof FEATURE_ROUTES;

/** Settings that leave something out which a gateway does otherwise, by the name of the row. */
export const LEFT_OUT = {
  without_assertion: { UPSTREAM_IDENTITY: "headers" },
  without_usage: { USAGE_DELIVERY: "off" },
} as const;

/** A gateway that does less than usual. */
export type LesserGateway = keyof typeof LEFT_OUT;

/** Names of both in the order in which they are measured, and what they say of themselves. */
export const FEATURE_SAYS: Readonly<Record<FeatureRoute | LesserGateway, string>> = {
  all_features: "warm with assertion, usage, limits, header rules, CORS",
  without_assertion: "warm with plain headers in place of the assertion",
  without_usage: "warm without counting usage",
  with_limits: "warm with a rate and a quota",
  with_header_rules: "warm with rules for headers, both ways",
  with_cors: "warm for a page of another origin",
  with_timeouts: "warm with timeouts of its own, and the body watched",
};
