/** Knowing when an answer has ended, without touching its bytes. */
import type { RequestContext } from "./ports.ts";

/** What a length is. What is not one is left to the platform. */
const LENGTH = /^\d{1,15}$/;

/**
 * The same response; `ended` is called once its last byte is on its way, or it was broken off by either side. The platform pumps the
 * body by itself, with back-pressure. It must have been fetched with `encodeResponseBody: "manual"`, so that the bytes are those that came.
 */
export function withEnd(response: Response, context: RequestContext, ended: () => void): Response {
  const { body, status, statusText, headers } = response;
  if (!body) {
    ended();
    return response;
  }
  const length = headers.get("Content-Length") ?? "";
  const { readable, writable } = LENGTH.test(length) ? new FixedLengthStream(Number(length)) : new IdentityTransformStream();
  context.waitUntil(
    body
      .pipeTo(writable)
      .catch(() => {})
      .finally(ended),
  );
  return new Response(readable, { status, statusText, headers, encodeBody: "manual" });
}
