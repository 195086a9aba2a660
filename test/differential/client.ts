/** A client that sends bytes and reads bytes, and believes nothing. */
import net from "node:net";

/** An answer as it came over the wire. */
export interface Got {
  /** 0: the connection was closed without one. */
  readonly status: number;
  /** Statuses of interim answers before it. */
  readonly interim: readonly number[];
  readonly reason: string;
  /** By lower-case name; those that came several times in their order. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  /** The body without its framing, one character for each byte. */
  readonly body: string;
  /** Whether the body came to its end. */
  readonly isWhole: boolean;
}

/** For how long nothing may come before the client gives up; what it has by then is the outcome. */
const PATIENCE_MS = 3_000;

/** Sends the bytes, and reads until the connection is closed. */
export async function exchange(port: number, bytes: string, isHead: boolean): Promise<Got> {
  const received: Buffer[] = [];
  await new Promise<void>((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.setTimeout(PATIENCE_MS, () => socket.destroy());
    socket.on("data", (piece) => received.push(piece));
    socket.on("error", () => {});
    socket.on("close", () => resolve());
    socket.write(Buffer.from(bytes, "latin1"));
  });
  return read(Buffer.concat(received).toString("latin1"), isHead, []);
}

const NOTHING: Got = { status: 0, interim: [], reason: "", fields: new Map(), body: "", isWhole: false };

function read(text: string, isHead: boolean, interim: readonly number[]): Got {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return { ...NOTHING, interim };
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const [, digits = "0", reason = ""] = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(first) ?? [];
  const status = Number(digits);
  const rest = text.slice(end + 4);
  if (status >= 100 && status < 200 && status !== 101) return read(rest, isHead, [...interim, status]);
  const fields = new Map<string, string[]>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    fields.set(name, [...(fields.get(name) ?? []), line.slice(colon + 1).trim()]);
  }
  const isBodiless = isHead || status === 204 || status === 304;
  const { body, isWhole } = isBodiless ? { body: rest, isWhole: true } : bodyOf(rest, fields);
  return { status, interim, reason, fields, body, isWhole };
}

function bodyOf(rest: string, fields: ReadonlyMap<string, readonly string[]>): { body: string; isWhole: boolean } {
  if (fields.get("transfer-encoding")?.at(-1)?.endsWith("chunked") === true) return dechunked(rest);
  const length = fields.get("content-length")?.[0];
  return length === undefined
    ? { body: rest, isWhole: true }
    : { body: rest.slice(0, Number(length)), isWhole: rest.length >= Number(length) };
}

function dechunked(rest: string): { body: string; isWhole: boolean } {
  let body = "";
  for (let at = 0; ;) {
    const line = rest.indexOf("\r\n", at);
    const size = Number.parseInt(rest.slice(at, line), 16);
    if (line < 0 || Number.isNaN(size)) return { body, isWhole: false };
    if (size === 0) return { body, isWhole: true };
    body += rest.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
}
