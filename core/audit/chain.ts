/**
 * How entries are chained. An entry's digest covers all it says, with a random salt; a hash covers the hash before it and the digest.
 * So a link can be checked without the content, a content that is gone leaves the chain whole, and a digest tells nothing to who
 * guesses what was said. One entry can be a link of several chains: of its cell's, and of each organization's that it concerns.
 */
import { sha256Hex } from "../digest.ts";

/** All that an entry says. `payload` is in canonical form, `at` in ISO 8601, `organizations` in the order of their ids. */
export interface AuditContent {
  readonly seq: number;
  readonly at: string;
  readonly actor: { readonly type: string; readonly id: string };
  readonly type: string;
  readonly subject: string;
  readonly organizations: readonly string[];
  readonly payload: string;
  readonly salt: string;
}

/** Which entries hang together: all of a cell, those that concern an organization, or a cell's record of refusals. */
export type ChainName = "ledger" | "denials" | `organization ${string}`;

/** The hash before a chain's first entry: no chain can be passed off as the beginning of another. */
export function firstHash(chain: ChainName): string {
  return sha256Hex(`portcullis audit log 1 ${chain}`);
}

/** The digest of an entry's content: of its canonical form (RFC 8785) as one object. */
export function contentDigest({ actor, at, organizations, payload, salt, seq, subject, type }: AuditContent): string {
  const text = JSON.stringify;
  return sha256Hex(
    `{"actor":{"id":${text(actor.id)},"type":${text(actor.type)}},"at":${text(at)},"organizations":${text(organizations)},` +
      `"payload":${payload},"salt":${text(salt)},"seq":${seq},"subject":${text(subject)},"type":${text(type)}}`,
  );
}

/** The hash of a link, from the hash before it and the digest of its content. */
export function linkHash(previousHash: string, digest: string): string {
  return sha256Hex(previousHash + digest);
}
