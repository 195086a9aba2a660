/** Every difference there may be between the direct way and another one, and why. What is not in this list is a fault, and so is an entry that nothing needs. */
import type { Way } from "./ways.ts";

/** Differences of one kind. */
export interface Permitted {
  readonly ways: readonly Exclude<Way, "direct">[];
  /** What the text of a difference is like; see differencesOf. */
  readonly difference: RegExp;
  /** In which cases; absent: in any. */
  readonly cases?: RegExp;
  readonly because: string;
}

const both = ["nginx", "gateway"] as const;
const nginx = ["nginx"] as const;
const gateway = ["gateway"] as const;

/** The list. */
export const PERMITTED: readonly Permitted[] = [
  // What belongs to the connection and not to the message (RFC 9110 section 7.6.1)
  { ways: both, difference: /^(request|answer) connection: /, because: "each connection has its own" },
  { ways: both, difference: /^(request|answer) keep-alive: .*→ \(absent\)$/, because: "it speaks of one connection" },
  { ways: gateway, difference: /^(request|answer) proxy-connection: .*→ \(absent\)$/, because: "it speaks of one connection" },
  { ways: both, difference: /^request te: .*→ \(absent\)$/, because: "no trailers and no other codings are passed on" },
  {
    ways: gateway,
    difference: /^(request|answer) trailer: .*→ \(absent\)$/,
    because: "there are none behind the gateway (RFC 9110 section 6.5.2)",
  },
  { ways: both, difference: /^request trailers: .*→ $/, because: "a proxy may drop them (RFC 9110 section 6.5.2)" },
  { ways: both, difference: /^request upgrade: h2c → \(absent\)$/, because: "no other protocol is spoken to the origin" },
  { ways: gateway, difference: /^answer upgrade: .*→ \(absent\)$/, because: "no other protocol is spoken to the client" },
  {
    ways: nginx,
    difference: /^request (content-length: \(absent\) → 5|transfer-encoding: chunked → \(absent\))$/i,
    because: "it measures a body that is there as a whole",
  },
  { ways: gateway, difference: /^request transfer-encoding: CHUNKED → chunked$/, because: "a new framing" },
  {
    ways: gateway,
    difference: /^request content-length: \(absent\) → 0$/,
    cases: /with no body$/,
    because: "it says that there is no body (RFC 9110 section 8.6)",
  },
  { ways: both, difference: /^request content-length: 005 → 5$/, because: "a new framing" },
  {
    ways: both,
    difference: /^answer transfer-encoding: \(absent\) → chunked$/,
    cases: /end of the connection|a length that is none/,
    because: "so that the end can be told from a break",
  },
  {
    ways: both,
    difference: /^answer transfer-encoding: chunked → \(absent\)$/,
    cases: /^HEAD answered in chunks$/,
    because: "no body, no framing (RFC 9112 section 6.1)",
  },
  { ways: both, difference: /^answer content-length: 2 ⏎ 2 → 2$/, because: "said once (RFC 9110 section 8.6)" },
  {
    ways: both,
    difference: /^answer content-length: 2 → \(absent\)$/,
    cases: /length and chunks$/,
    because: "the chunks count (RFC 9112 section 6.3)",
  },

  // What HTTP asks for
  { ways: both, difference: /^answer body: ok → $/, cases: /^HEAD /, because: "the origin here sends a body to HEAD, which is none" },
  {
    ways: gateway,
    difference: /^answer content-length: 2 → 0$/,
    cases: /^status 205$/,
    because: "205 has no content (RFC 9110 section 15.3.6)",
  },
  { ways: gateway, difference: /^answer body: ok → $/, cases: /^status 205$/, because: "205 has no content (RFC 9110 section 15.3.6)" },
  { ways: both, difference: /^interim: {2}→ 100$/, cases: /^Expect 100-continue$/, because: "the client is answered at once" },
  {
    ways: both,
    difference: /^request expect: .*→ \(absent\)$/,
    because: "its answer would be an interim one, and those are not passed on",
  },
  { ways: gateway, difference: /^interim: (100|103|102,102) → $/, because: "the platform keeps interim answers to itself" },
  {
    ways: gateway,
    difference: /^(request|answer) via: .*1\.1 portcullis$/,
    because: "the gateway says that it was there (RFC 9110 section 7.6.3)",
  },
  { ways: both, difference: /^request host: .*→ 127\.0\.0\.1:\d+$/, because: "the origin's own name; the client's is in X-Forwarded-Host" },
  {
    ways: both,
    difference: /^target: http:\/\/(gateway|other)\.example\/a → \/a$/,
    because: "an origin gets the path (RFC 9112 section 3.2.1)",
  },
  { ways: gateway, difference: /^request cookie: a=1; b=2 ⏎ c=3 → a=1; b=2; c=3$/, because: "one header, as servers expect it" },
  {
    ways: gateway,
    difference: /^(request|answer) (x-twice|link|vary|www-authenticate): (.+) ⏎ (.+) → \3, \4$/,
    because: "a list in two lines is the same list in one (RFC 9110 section 5.3)",
  },

  // What the gateway is for
  { ways: gateway, difference: /^request authorization: .*→ \(absent\)$/, because: "the key is for the gateway alone" },
  { ways: gateway, difference: /^request proxy-authorization: .*→ \(absent\)$/, because: "it is meant for proxies" },
  {
    ways: gateway,
    difference: /^request portcullis-(assertion|request-id): \(absent\) → /,
    because: "who is calling, and which request it is",
  },
  { ways: gateway, difference: /^request portcullis-key-id: mine → \(absent\)$/, because: "only the gateway says that" },
  { ways: gateway, difference: /^answer portcullis-request-id: \(absent\) → /, because: "which request it was" },
  {
    ways: gateway,
    difference: /^request (forwarded|x-forwarded-host|x-forwarded-proto): /,
    because: "where the request came from, in the gateway's own word",
  },
  { ways: gateway, difference: /^request (x-forwarded-for|x-real-ip): .*→ \(absent\)$/, because: "a client's own word is not passed on" },
  {
    ways: gateway,
    difference: /^request (x-original-url|x-http-method-override): .*→ \(absent\)$/,
    because: "it would make another request of what was allowed",
  },
  {
    ways: gateway,
    difference: /^target: \/(%61|a%2Db|%7Ea|a%c3%a9) → \/(a|a-b|~a|a%C3%A9)$/,
    because: "the form that was matched (RFC 3986 section 6.2.2)",
  },
  { ways: gateway, difference: /^target: \/a["[{|].*→ \/a%/, because: "what may not stand raw in a path is escaped" },
  { ways: gateway, difference: /^target: \/a#b → \/a$/, because: "a fragment is no part of a request" },
  {
    ways: gateway,
    difference: /^(reached: 1 requests → 0|status: 200 → 400)$/,
    cases: /^out of order: (dot segments|an escaped|escapes of|an empty segment|a parameter|half an|a backslash|a second key|OPTIONS of)/,
    because: "servers read this differently, so it is refused",
  },
  { ways: gateway, difference: /^(reached: 1 requests → 0|status: 200 → 508)$/, cases: /own Via$/, because: "it has been here before" },
  { ways: gateway, difference: /^(reached: 1 requests → 0|status: 200 → 404)$/, cases: /TRACE$/, because: "no route has it" },
  {
    ways: gateway,
    difference: /^status: 0 → 500$/,
    cases: /CONNECT$/,
    because: "the platform takes it for a tunnel, which a Worker does not offer",
  },

  // The origin speaks no HTTP
  {
    ways: gateway,
    difference: /^reached: 1 requests → 2$/,
    cases: /^answer: /,
    because: "what the platform cannot read is to it a broken connection, and a GET is tried once more",
  },
  { ways: gateway, difference: /^status: (200|0) → 502$/, cases: /^answer: /, because: "what the platform cannot read does not pass" },
  { ways: both, difference: /^(status: 0 → 502|status: 200 → 502)$/, cases: /^answer: /, because: "what cannot be read does not pass" },
  {
    ways: gateway,
    difference: /^(status|answer .*): (101|upgrade|x|\(absent\)) → /,
    cases: /101 that nobody asked for$/,
    because: "nobody asked for it",
  },

  // The client speaks no HTTP, or another one: the platform's parser, Node's in the origin and nginx's each draw the line elsewhere
  {
    ways: both,
    difference: /^(reached: 1 requests → 0|status: \d+ → (0|400|405|501|505))$/,
    cases: /^out of order: /,
    because: "it refuses what the origin would take",
  },
  {
    ways: gateway,
    difference: /^status: 400 → 502$/,
    cases: /chunk/,
    because: "chunks that cannot be read break the request to the origin off, and the platform does not say whose fault it was",
  },
  {
    ways: both,
    difference: /^(reached: 0 requests → 1|status: 400 → 200)$/,
    cases:
      /^out of order: (bare line feeds|no colon|chunks with bare line feeds|HTTP\/1\.2|length and chunks|chunks and length|the same length twice|chunked (twice|in two headers))$/,
    because: "it reads one thing in it, and sends that on in proper form",
  },
  {
    ways: gateway,
    difference: /^(reached: 0 requests → 1|status: 400 → 200)$/,
    cases: /^target \/a(\?q=)?\xc3\xa9$/,
    because: "raw UTF-8 is escaped",
  },
  {
    ways: gateway,
    difference: /^(reached: 1 requests → 0|status: 200 → 400)$/,
    cases: /^target \/a(\^b`c|\?q="quoted")/,
    because: "the platform holds to RFC 3986, which has no such characters",
  },
  {
    ways: gateway,
    difference: /^request transfer-encoding: gzip, chunked → chunked$/,
    because: "the platform passes such a body as it came; no client sends one",
  },
  {
    ways: nginx,
    difference: /^request body: \(broken off\) → hello$/,
    cases: /bare line feeds$/,
    because: "it takes line feeds for line ends",
  },

  // What the platform does to headers
  { ways: gateway, difference: /^request cf-worker: \(absent\) → /, because: "the platform names the Worker" },
  {
    ways: gateway,
    difference: /^request (accept-encoding|cookie): {2}→ \(absent\)$/,
    because: "the platform drops these when they are empty",
  },
  { ways: gateway, difference: /^request x-latin1: /, because: "a Worker reads headers as UTF-8" },
  {
    ways: gateway,
    difference: /^request (body: hello → |content-length: \d+ → \(absent\)|transfer-encoding: chunked → \(absent\))$/,
    cases: /^(GET|HEAD) with /,
    because: "a Worker sends no body with GET and HEAD",
  },

  // What nginx does
  { ways: nginx, difference: /^answer (date|server): /, because: "it says its own" },
  { ways: nginx, difference: /^request (x_under|x!.*): .*→ \(absent\)$/, because: "it drops names it finds odd" },
  {
    ways: nginx,
    difference: /^request (authorization|x-case): .*→ \(absent\)$/,
    cases: /HTTP\/0\.9$/,
    because: "such a request has no headers",
  },
  { ways: nginx, difference: /^answer x-accel-buffering: .*→ \(absent\)$/, because: "it is meant for nginx" },
  {
    ways: nginx,
    difference: /^(reached: 1 requests → 11|status: 200 → 500)$/,
    cases: /proxy's eyes$/,
    because: "it does what X-Accel-Redirect says",
  },
  {
    ways: nginx,
    difference: /^answer (content-length|nonsens|nonsense|body|whole)\b/,
    cases: /answer: (lengths twice, different|a length that is none|a line without a colon)$/,
    because: "it makes the best of what the origin says",
  },
];
