/** Comparing one way to the origin with the direct one. */
import type { Got } from "./client.ts";
import type { Reached } from "./origin.ts";

/** What one case came to on one way. */
export interface Outcome {
  readonly reached: readonly Reached[];
  readonly got: Got;
}

/** Every difference of `way` from `direct`, one text each: what it is about, how it was, how it is. */
export function differencesOf(direct: Outcome, way: Outcome): string[] {
  // Neither let it get anywhere: each says so in its own words.
  if (direct.reached.length + way.reached.length === 0 && direct.got.status >= 400) return statusDifference(direct.got, way.got);
  if (way.reached.length !== direct.reached.length)
    return [`reached: ${direct.reached.length} requests → ${way.reached.length}`, ...statusDifference(direct.got, way.got)];
  const differences = direct.reached.flatMap((request, at) => requestDifferences(request, way.reached[at] ?? request));
  return [...differences, ...answerDifferences(direct.got, way.got)];
}

function requestDifferences(was: Reached, is: Reached): string[] {
  return [
    ...difference("method", was.method, is.method),
    ...difference("target", was.target, is.target),
    ...fieldDifferences("request", was.fields, is.fields),
    ...difference("request body", was.body, is.body),
    ...difference("request trailers", was.trailers.join(), is.trailers.join()),
  ];
}

function answerDifferences(was: Got, is: Got): string[] {
  if (was.status !== is.status) return statusDifference(was, is);
  return [
    ...difference("interim", was.interim.join(), is.interim.join()),
    ...difference("reason phrase", was.reason, is.reason),
    ...fieldDifferences("answer", was.fields, is.fields),
    ...difference("answer body", was.body, is.body),
    ...difference("answer whole", String(was.isWhole), String(is.isWhole)),
  ];
}

function statusDifference(was: Got, is: Got): string[] {
  return difference("status", String(was.status), String(is.status));
}

function fieldDifferences(side: string, was: Reached["fields"], is: Reached["fields"]): string[] {
  const names = [...new Set([...was.keys(), ...is.keys()])].toSorted();
  const textOf = (values: readonly string[] | undefined) =>
    values ? values.join(" ⏎ ").replace(/Bearer \S+/, "Bearer (the key)") : "(absent)";
  return names.flatMap((name) => difference(`${side} ${name}`, textOf(was.get(name)), textOf(is.get(name))));
}

function difference(what: string, was: string, is: string): string[] {
  return was === is ? [] : [`${what}: ${was} → ${is}`];
}
