/** A small client of the control plane for local use. */

/** An answer that was not the expected success. */
export class ApiCallError extends Error {
  override readonly name = "ApiCallError";
  readonly status: number;
  readonly code: unknown;
  constructor(status: number, code: unknown, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** A JSON object. */
export type Json = Record<string, unknown>;

/** Calls an endpoint as the holder of `token`; throws an {@link ApiCallError} on any status of 400 and above. */
export async function callApi(base: URL, token: string, method: string, path: string, body?: Json, idempotencyKey?: string): Promise<Json> {
  const headers = {
    Authorization: `Bearer ${token}`,
    "Content-Type": "application/json",
    ...(idempotencyKey !== undefined && { "Idempotency-Key": idempotencyKey }),
  };
  const response = await fetch(new URL(path, base), { method, headers, ...(body && { body: JSON.stringify(body) }) });
  const text = await response.text();
  const answer = text === "" ? {} : (JSON.parse(text) as Json);
  if (!response.ok)
    throw new ApiCallError(response.status, answer["code"], `${method} ${path}: ${response.status} ${String(answer["message"])}`);
  return answer;
}
