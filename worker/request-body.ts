/** A request's body on its way to the upstream. Without limits it is passed as it is; the platform moves it, with back-pressure, and no code of ours sees it. */
import type { RoutePlan } from "./route-plan.ts";

/** What is sent in place of the body that came. */
export interface OutgoingBody {
  readonly stream: ReadableStream;
  /** Fulfilled when the upstream has taken all of it, or will take no more; undefined where nobody asks. */
  readonly taken: Promise<undefined> | undefined;
  /** Whether it was cut off because it was larger than the route takes. */
  readonly isTooLarge: () => boolean;
}

/** The body as the route's plan wants it. `length` in bytes, undefined where the client did not say; it is within the limit. */
export function outgoingBody(body: ReadableStream, length: number | undefined, plan: RoutePlan): OutgoingBody {
  const limit = length === undefined && plan.requestBytesMax !== undefined ? new ByteLimit(plan.requestBytesMax) : undefined;
  const counted = limit ? body.pipeThrough(limit.stream) : body;
  const isTooLarge = () => limit?.isExceeded === true;
  if (plan.firstByteAfterBodyMs === undefined) return { stream: counted, taken: undefined, isTooLarge };
  // With its length, or the upstream would get in chunks what came with a Content-Length.
  const { readable, writable } = length === undefined ? new IdentityTransformStream() : new FixedLengthStream(length);
  const done = () => undefined;
  return { stream: readable, taken: counted.pipeTo(writable).then(done, done), isTooLarge };
}

/** Lets so many bytes through; one more, and the stream breaks. */
class ByteLimit {
  isExceeded = false;
  readonly stream: TransformStream<Uint8Array, Uint8Array>;

  constructor(bytesMax: number) {
    let left = bytesMax;
    this.stream = new TransformStream({
      transform: (piece, controller) => {
        left -= piece.byteLength;
        this.isExceeded = left < 0;
        if (this.isExceeded) controller.error(new RangeError("the body is larger than the route takes"));
        else controller.enqueue(piece);
      },
    });
  }
}
