/// <reference lib="dom" />
/**
 * A page in jsdom for code that wants a browser, with a `fetch` that minds CORS as browsers do: it sends preflights, and hands over no answer
 * that the page's origin may not read.
 */
import { JSDOM, VirtualConsole } from "jsdom";

/** One request that the page has made, and how it was answered. */
export interface PageRequest {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

/** Requests that need no preflight carry no other headers than these (Fetch standard, CORS-safelisted). */
const SAFELISTED = new Set(["accept", "accept-language", "content-language", "range"]);

/** The page that this process has become. */
export interface Page {
  /** What it has requested so far. */
  readonly requests: PageRequest[];
  /** Waits until no request of the page is under way. */
  idle(): Promise<void>;
  /** Node's own `fetch`, for what is not of the page. */
  readonly outside: typeof fetch;
}

/** Makes this process a page at an origin, until it ends. */
export function becomePage(origin: string): Page {
  const outside = globalThis.fetch;
  const requests: PageRequest[] = [];
  const underWay = new Set<Promise<Response>>();
  const send = mindingCors(origin, outside, (request) => requests.push(request));
  takeGlobals(origin, async (...sent) => {
    const answer = send(...sent);
    underWay.add(answer);
    return answer.finally(() => underWay.delete(answer));
  });
  const idle = async () => {
    while (underWay.size > 0) await Promise.allSettled(underWay);
  };
  return { requests, idle, outside };
}

type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

function mindingCors(origin: string, outside: typeof fetch, note: (request: PageRequest) => void): Fetch {
  return async (url, init = {}) => {
    const { method = "GET", body } = init;
    const headers = new Headers(init.headers);
    await preflight(outside, origin, url, method, headers);
    headers.set("origin", origin);
    const response = await outside(url, { method, headers, ...(body && { body }) });
    requireReadable(response, origin);
    const { pathname, search } = new URL(url);
    note({ method, path: pathname + search, status: response.status });
    return response;
  };
}

/** Gives the process what a page has and Node has not, or has of its own kind. */
function takeGlobals(origin: string, pageFetch: Fetch): void {
  const { window } = new JSDOM("<!doctype html>", { url: origin, pretendToBeVisual: true, virtualConsole: new VirtualConsole() });
  for (const name of Object.getOwnPropertyNames(window))
    if (!(name in globalThis)) define(name, (window as unknown as Record<string, unknown>)[name]);
  for (const name of ["navigator", "Event", "CustomEvent", "FormData"] as const) define(name, window[name]);
  define("window", window);
  const matchMedia = () => ({ matches: false, addEventListener: nothing, removeEventListener: nothing });
  const observer = { observe: nothing, unobserve: nothing, disconnect: nothing };
  const ResizeObserver = function ResizeObserver() {
    return observer;
  };
  for (const [name, value] of Object.entries({ matchMedia, ResizeObserver, fetch: pageFetch })) {
    define(name, value);
    Object.assign(window, { [name]: value });
  }
  Object.assign(window.Element.prototype, { hasPointerCapture: () => false, scrollIntoView: nothing });
}

function define(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

function nothing(): void {
  // jsdom lays nothing out, so there is nothing to observe.
}

async function preflight(nodeFetch: typeof fetch, origin: string, url: string | URL, method: string, headers: Headers): Promise<void> {
  const names = [...headers.keys()].filter((name) => !SAFELISTED.has(name));
  if (["GET", "HEAD", "POST"].includes(method) && names.length === 0) return;
  const asked = { origin, "access-control-request-method": method, "access-control-request-headers": names.join(",") };
  const answer = await nodeFetch(url, { method: "OPTIONS", headers: asked });
  requireReadable(answer, origin);
  const listed = (header: string) =>
    (answer.headers.get(header) ?? "")
      .toLowerCase()
      .split(",")
      .map((name) => name.trim());
  const isAllowed =
    answer.ok &&
    (["GET", "HEAD", "POST"].includes(method) || listed("access-control-allow-methods").includes(method.toLowerCase())) &&
    names.every((name) => listed("access-control-allow-headers").includes(name));
  if (!isAllowed) throw new TypeError(`Failed to fetch: the preflight forbids ${method} with ${names.join(", ")}`);
}

function requireReadable(response: Response, origin: string): void {
  if (response.headers.get("access-control-allow-origin") !== origin) throw new TypeError("Failed to fetch: blocked by CORS");
}
