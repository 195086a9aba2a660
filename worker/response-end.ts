/** Knowing when an answer has ended, without touching its bytes. */
import type { RequestContext } from "./ports.ts";

/**
 * The same response; `ended` is called once its last byte is on its way, or it was broken off by either side. The platform pumps the
 * body by itself, with back-pressure.
 */
export function withEnd(response: Response, context: RequestContext, ended: () => void): Response {
  const { body } = response;
  if (!body) {
    ended();
    return response;
  }
  const length = response.headers.get("Content-Length");
  const { readable, writable } = length === null ? new IdentityTransformStream() : new FixedLengthStream(Number(length));
  context.waitUntil(
    body
      .pipeTo(writable)
      .catch(() => {})
      .finally(ended),
  );
  return new Response(readable, response);
}
