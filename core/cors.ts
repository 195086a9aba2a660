/**
 * Which web pages may call a route from a browser (the Fetch standard, "CORS protocol"). The gateway answers preflights itself, without
 * a key: browsers send none with them. An origin that is not listed is never named in an answer.
 */
import { z } from "zod";
import type { CredentialPlace } from "./credential.ts";
import { headerName } from "./header-rule.ts";

/** Seconds for which a browser may remember a preflight's answer, unless the route says otherwise. */
const MAX_AGE_S = 600;
/** What a page needs beside the headers that the standard always allows, to send JSON. */
const HEADERS_USUALLY = ["Content-Type"] as const;
/** What pages may read of every answer: the name by which a request is found in the log. */
const EXPOSED_ALWAYS = "Portcullis-Request-Id";

const ORIGIN = /^([a-z][a-z0-9+.-]*):\/\/(?:[a-z0-9-]+(?:\.[a-z0-9-]+)*|\[[0-9a-f:]+\])(?::([1-9]\d{0,4}))?$/;
/** Browsers leave these out, so such an origin would never be met. */
const IMPLIED_PORTS: Readonly<Record<string, string>> = { http: "80", https: "443" };

const origin = z
  .string()
  .max(300)
  .refine((text) => {
    const [, scheme = "", port] = ORIGIN.exec(text) ?? [];
    return scheme !== "" && (port === undefined || port !== IMPLIED_PORTS[scheme]);
  }, "an origin as browsers send it: scheme, host in lower case, a port only where it is not the scheme's own, nothing more; 'null' cannot be listed");

/** The pages that may call a route, and what they may send and read. */
export const corsSchema = z
  .strictObject({
    origins: z
      .union([z.tuple([z.literal("*")]), z.array(origin).min(1).max(64)])
      .meta({ description: 'Origins of the pages, each scheme, host and port without a path; or ["*"] for any.' }),
    headers: z
      .array(headerName)
      .max(32)
      .optional()
      .meta({ description: "Headers that pages may send, besides those of the key. Usually Content-Type." }),
    exposed: z.array(headerName).max(32).optional().meta({ description: "Headers of answers that pages may read." }),
    credentials: z.boolean().optional().meta({ description: "Whether browsers send cookies along. Not with any origin." }),
    maxAge: z
      .number()
      .int()
      .min(0)
      .max(86_400)
      .optional()
      .meta({ description: "Seconds for which browsers may remember it. Usually 600." }),
  })
  .refine((cors) => cors.credentials !== true || cors.origins[0] !== "*", {
    error: "any origin, and with cookies: list the origins",
    path: ["origins"],
  });

/** What an administrator wrote. */
type Cors = z.infer<typeof corsSchema>;

/** Headers by name, in the order they are sent. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** The same, worked out once. */
export interface PreparedCors {
  /** Undefined: any. */
  readonly origins: ReadonlySet<string> | undefined;
  /** Methods that a preflight may ask for here. */
  readonly methods: ReadonlySet<string>;
  /** Of answers to a preflight, and of all others, beside the origin. */
  readonly ofPreflight: HeaderList;
  readonly ofAnswer: HeaderList;
}

/**
 * Works out what is said to pages. `places`: where the route takes a key from, none if it takes none; `said`: headers that the gateway puts
 * into answers of the route, which pages may read.
 */
export function prepareCors(
  cors: Cors,
  methods: readonly string[],
  places: Iterable<CredentialPlace>,
  said: readonly string[] = [],
): PreparedCors {
  const allowed = new Set([...(cors.headers ?? HEADERS_USUALLY), ...[...places].map((place) => HEADER_OF[place])]);
  const cookies: HeaderList = cors.credentials === true ? [["Access-Control-Allow-Credentials", "true"]] : [];
  return {
    origins: cors.origins[0] === "*" ? undefined : new Set(cors.origins),
    methods: new Set(methods),
    ofPreflight: [
      ...cookies,
      ["Access-Control-Allow-Methods", methods.join(", ")],
      ["Access-Control-Allow-Headers", [...allowed].join(", ")],
      ["Access-Control-Max-Age", String(cors.maxAge ?? MAX_AGE_S)],
    ],
    ofAnswer: [...cookies, ["Access-Control-Expose-Headers", [...new Set([EXPOSED_ALWAYS, ...said, ...(cors.exposed ?? [])])].join(", ")]],
  };
}

/** Whether pages of an origin may call. */
export function permitsOrigin({ origins }: PreparedCors, from: string): boolean {
  return origins === undefined || origins.has(from);
}

const HEADER_OF: Readonly<Record<CredentialPlace, string>> = {
  bearer: "Authorization",
  basic: "Authorization",
  "x-api-key": "X-API-Key",
};
