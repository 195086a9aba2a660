/** The benchmark, run for a moment: its rows have the names that others read them by, and every figure is one. What the figures are is not looked at. */
import { expect, it } from "vitest";
import { headersOf, measure, subjectsOf } from "./bench.ts";
import { startPeer } from "./peer.ts";
import { startBenchSystem } from "./system.ts";

const SHORT = { warmUpSeconds: 0.2, rounds: 1, settlingSeconds: 0.1, seconds: 0.2, countedSeconds: 0.2 };
/** Where the machine is so busy that somebody gets no answer at all within a short spell. */
const LONGER = { warmUpSeconds: 1, rounds: 1, settlingSeconds: 0.1, seconds: 1, countedSeconds: 1 };

it("measures each thing, answered as it should be, and says what it found under stable names", async () => {
  await using system = await startBenchSystem();
  using peer = await startPeer();
  const subjects = subjectsOf(system, peer, { isQuick: true });
  const rows = await measure(subjects, SHORT).catch(() => measure(subjects, LONGER));
  expect(rows.map(({ name }) => name)).toEqual([
    "bare_passthrough",
    "warm",
    "strict",
    "naive",
    "ttl60",
    "all_features",
    "bare_401",
    "forged",
    "malformed",
    "bare_node",
    "better_auth_node",
  ]);
  const thorough = subjectsOf(system, peer, { isQuick: false });
  expect(thorough.map(({ name }) => name).filter((name) => !rows.some((row) => row.name === name))).toEqual([
    "without_assertion",
    "without_usage",
    "with_limits",
    "with_header_rules",
    "with_cors",
    "with_timeouts",
  ]);
  for (const subject of thorough)
    expect([subject.name, (await fetch(subject.url, { headers: headersOf(subject) })).status]).toEqual([subject.name, subject.status]);
  const figure = expect.any(Number) as number;
  // As a program reads it: what is no number is no figure there either.
  for (const row of JSON.parse(JSON.stringify(rows)) as typeof rows)
    expect(row).toEqual({
      name: row.name,
      ratio_to_bare: figure,
      rps: figure,
      p50_ms: figure,
      p99_ms: figure,
      kv_calls_per_request: figure,
      ledger_calls_per_request: figure,
      ledger_calls_per_1000_at_5000_rps: figure,
    });
});
