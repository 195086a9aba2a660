/** Options that cannot be right are said to be wrong when the program starts, not with the first request. */

/** An option is wrong; the message says which, and what it should be. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  readonly code = "invalid_configuration";
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** The origin of a service. Secrets are sent to it or trust is placed in it, so it has TLS, except on this machine. */
export function originOf(option: string, value: string | URL): URL {
  const url = URL.parse(String(value));
  if (!url || url.href !== `${url.origin}/`) throw new ConfigurationError(`${option} must be an origin, as in https://keys.example.com`);
  if (url.protocol === "https:" || (url.protocol === "http:" && LOOPBACK.test(url.hostname))) return url;
  throw new ConfigurationError(`${option} must begin with https:// (http:// only for this machine)`);
}

/** A number of milliseconds or seconds within bounds. */
export function durationOf(option: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw new ConfigurationError(`${option} must be a whole number from 0 to ${max}`);
}
