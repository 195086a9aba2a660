/**
 * Request bodies: read up to a cap whatever the length header says, decoded as UTF-8, parsed as JSON of bounded depth,
 * then through the endpoint's schema. WorkOS SDKs send `Content-Type: application/json` with every request and POST an
 * empty text where there is no body, so an empty body is an empty object.
 */
import type { z } from "zod";
import { ApiError, invalid } from "./api-error.ts";

/** Largest body accepted, in bytes. */
const BODY_BYTES_MAX = 256 * 1024;
/** Deepest nesting accepted. */
const BODY_DEPTH_MAX = 32;
/** Most faults that one answer lists. */
const FAULTS_MAX = 100;

/** Reads the body as text; 413 above the cap, 415 for a body that is not JSON, 400 for one that is not UTF-8. */
export async function readBodyText(request: Request): Promise<string> {
  const bytes = await readCapped(request.body);
  if (bytes.length === 0) return "";
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json")
    throw new ApiError("unsupported_media_type", "Send the body as JSON, with 'Content-Type: application/json'.");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    throw new ApiError("bad_request", "The body is not valid UTF-8.");
  }
}

/** Parses a body text through a schema; 400 for bad JSON, 422 with every field at fault. */
export function parseBody<Schema extends z.ZodType>(text: string, schema: Schema): z.output<Schema> {
  const parsed = schema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw invalid(
    parsed.error.issues.slice(0, FAULTS_MAX).map((issue) => {
      const absent = issue.code === "invalid_type" && /received undefined/.test(issue.message);
      return { code: absent ? "required" : issue.code, field: issue.path.join("."), message: absent ? "is required" : issue.message };
    }),
  );
}

function parseJson(text: string): unknown {
  if (text.trim() === "") return {};
  if (depthOf(text) > BODY_DEPTH_MAX) throw new ApiError("bad_request", `The body is nested deeper than ${BODY_DEPTH_MAX} levels.`);
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError("bad_request", "The body is not valid JSON.");
  }
}

/** Deepest bracket nesting outside strings, without building anything. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (inString) {
      if (character === BACKSLASH) at++;
      else if (character === QUOTE) inString = false;
    } else if (character === QUOTE) inString = true;
    else if (character === OPEN_BRACKET || character === OPEN_BRACE) deepest = Math.max(deepest, ++depth);
    else if (character === CLOSE_BRACKET || character === CLOSE_BRACE) depth--;
  }
  return deepest;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

async function readCapped(stream: ReadableStream<Uint8Array> | null): Promise<Uint8Array> {
  if (!stream) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) throw new ApiError("body_too_large", `The body is larger than ${BODY_BYTES_MAX} bytes.`);
    chunks.push(chunk);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
