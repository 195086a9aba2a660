/** The body of an upstream's answer on its way to the client, on routes that limit it. On all others it passes unseen. */
import { DeadlineError, withDeadline } from "../platform/deadline.ts";
import type { Cut } from "./decision-report.ts";
import type { BodyWatch } from "./route-plan.ts";
import { UpstreamFault } from "./upstream-fault.ts";

/**
 * The answer with a body that ends in an error when it takes too long or gets too large. What announces that it will be too large is no answer
 * at all: an {@link UpstreamFault}. The bytes are those that came, so it must have been fetched with `encodeResponseBody: "manual"`.
 */
export function watchedResponse(upstream: Response, watch: BodyWatch, wasCut: (cut: Cut) => void): Response {
  const { body, status, statusText, headers } = upstream;
  if (!body) return new Response(null, upstream);
  const announced = headers.get("content-length");
  const length = announced === null ? undefined : Number(announced);
  if (length !== undefined && watch.bytesMax !== undefined && length > watch.bytesMax)
    throw new UpstreamFault("upstream_response_too_large");
  const watched = watchedBody(body, watch, wasCut);
  return new Response(length === undefined ? watched : ofLength(watched, length), { status, statusText, headers, encodeBody: "manual" });
}

/** Reads only when the client wants more, so that a slow client neither fills memory nor makes the upstream look idle. */
function watchedBody(body: ReadableStream<Uint8Array>, watch: BodyWatch, wasCut: (cut: Cut) => void): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let left = watch.bytesMax ?? Number.POSITIVE_INFINITY;
  const next = async () => {
    const { done, value } = await (watch.idleMs === undefined ? reader.read() : withDeadline(reader.read(), watch.idleMs));
    left -= value?.byteLength ?? 0;
    if (left < 0) throw new RangeError("the body is larger than the route gives");
    return done ? undefined : value;
  };
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const piece = await next();
          if (piece) controller.enqueue(piece);
          else controller.close();
        } catch (error) {
          wasCut(cutOf(error));
          controller.error(error);
          await reader.cancel(error).catch(() => {});
        }
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

function cutOf(error: unknown): Cut {
  if (error instanceof DeadlineError) return "idle";
  return error instanceof RangeError ? "too_large" : "broken";
}

/** The client gets a Content-Length where the upstream gave one. An end before that is an error, which is what it should be. */
function ofLength(body: ReadableStream<Uint8Array>, length: number): ReadableStream {
  const { readable, writable } = new FixedLengthStream(length);
  body.pipeTo(writable).catch(() => {});
  return readable;
}
