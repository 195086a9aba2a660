/** Whether a URL may be sent webhooks: by its form, and by the addresses its host has at this moment. */
import { isPublicAddress } from "../../core/webhook/address.ts";
import { faultOfDestination } from "../../core/webhook/destination.ts";
import { boundedText } from "../../platform/bounded-text.ts";
import { withDeadline } from "../../platform/deadline.ts";

/** What a resolver may take to answer, in ms. */
const RESOLVER_TIMEOUT_MS = 5_000;
/** Larger than any message of the DNS is in JSON. */
const ANSWER_BYTES_MAX = 256 * 1024;
/** Record types that a connection follows, with their numbers in an answer. */
const ADDRESS_RECORDS = { A: 1, AAAA: 28 } as const;

/** As much as is needed of an answer in `application/dns-json`. */
interface DnsAnswer {
  readonly Answer?: readonly { readonly type: number; readonly data: string }[];
}

/** Settings and what is needed to look a name up. */
interface DestinationPorts {
  readonly loopbackToo: boolean;
  /** A DNS over HTTPS server that answers JSON, or null to rely on the platform alone. */
  readonly resolver: URL | null;
  readonly fetch: Fetch;
}

/** The platform's fetch. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Judges destinations. */
export class Destinations {
  readonly #ports: DestinationPorts;

  constructor(ports: DestinationPorts) {
    this.#ports = ports;
  }

  /** What is wrong with a URL as a destination, in a sentence; undefined when it is right. */
  async faultOf(text: string): Promise<string | undefined> {
    if (!URL.canParse(text)) return "must be an absolute URL";
    const url = new URL(text);
    const { loopbackToo, resolver } = this.#ports;
    const fault = faultOfDestination(url, loopbackToo);
    if (fault !== undefined || resolver === null) return fault;
    // Only loopback names pass without being names of public hosts.
    if (faultOfDestination(url, false) !== undefined) return undefined;
    return this.#faultOfAddresses(url.hostname, resolver);
  }

  async #faultOfAddresses(host: string, resolver: URL): Promise<string | undefined> {
    try {
      const found = await Promise.all([this.#addresses(host, "A", resolver), this.#addresses(host, "AAAA", resolver)]);
      const addresses = found.flat();
      if (addresses.length === 0) return "must name a host that has an address";
      return addresses.every(isPublicAddress) ? undefined : "must name a public host: this one has an address inside a network";
    } catch {
      return "could not be looked up: try again later";
    }
  }

  async #addresses(host: string, type: keyof typeof ADDRESS_RECORDS, resolver: URL): Promise<string[]> {
    const question = new URL(resolver);
    question.searchParams.set("name", host);
    question.searchParams.set("type", type);
    const { Answer = [] } = await withDeadline(this.#ask(question.href), RESOLVER_TIMEOUT_MS);
    return Answer.filter((record) => record.type === ADDRESS_RECORDS[type]).map((record) => record.data);
  }

  /** The whole answer: a resolver that begins one and does not end it must not hold a delivery up. */
  async #ask(question: string): Promise<DnsAnswer> {
    const signal = AbortSignal.timeout(RESOLVER_TIMEOUT_MS);
    const response = await this.#ports.fetch(question, { headers: { Accept: "application/dns-json" }, redirect: "manual", signal });
    if (!response.ok) throw new Error(`the resolver answered ${response.status}`);
    return JSON.parse(await boundedText(response, ANSWER_BYTES_MAX)) as DnsAnswer;
  }
}
