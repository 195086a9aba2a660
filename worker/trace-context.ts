/** W3C Trace Context: the gateway hands `traceparent`, `tracestate` and `baggage` on as they came, and notes the trace in its log. */

/**
 * Section 3.2 of the recommendation. Ids of nothing but zeros are invalid, as is version ff; what later versions put behind the flags is
 * not ours to read.
 */
const TRACEPARENT =
  /^(?:00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}|(?!00|ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?)$/;
const TRACE_ID_AT = 3;
const TRACE_ID_LENGTH = 32;

/** The trace id in the value of a `traceparent`, 32 lower-case hexadecimal characters; undefined where there is none that is valid. */
export function traceIdOf(traceparent: string | null): string | undefined {
  if (traceparent === null || !TRACEPARENT.test(traceparent)) return undefined;
  return traceparent.slice(TRACE_ID_AT, TRACE_ID_AT + TRACE_ID_LENGTH);
}
