/**
 * Verifies an exported audit log (NDJSON) without asking or trusting anyone: this file imports nothing of Portcullis, and can be read,
 * copied and run by itself. The form of the file and what its hashes cover are in docs/audit.md.
 *
 *     npm run audit:verify -- audit-log.ndjson [--head <hash>]
 *
 * `--head` is a hash of this chain that you noted earlier: the file must contain it. Exit status: 0 it holds, 1 it does not, 2 wrong usage.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { parseArgs } from "node:util";

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type JsonObject = { [name: string]: Json };

const FORMAT = "portcullis-audit-log-1";
const HASH = /^[0-9a-f]{64}$/;
/** The members that a line has, in the order of their names. What is in no hash must not be in the file. */
const HEADER = "after,cell,chain,format";
const ENTRY = "actor,at,hash,organizations,payload,salt,seq,subject,type";
const BARE_LINK = "content,digest,hash,seq";

/** What is wrong with the file. */
class Broken extends Error {}

/** RFC 8785: members in the order of their names, no white space. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const names = Object.keys(value).toSorted();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name] ?? null)}`).join(",")}}`;
}

const sha256 = (text: string) => createHash("sha256").update(text, "utf8").digest("hex");

/** Follows one chain from a file's first line to its last. */
class Verification {
  readonly head: string | undefined;
  chain = "";
  cell: Json = null;
  begin = { seq: 0, hash: "" };
  last = { seq: 0, hash: "" };
  entries = 0;
  dropped = 0;
  expired = 0;
  withheld = 0;
  latestAt = "";
  headSeq: number | undefined;
  isEnded = false;

  constructor(head: string | undefined) {
    this.head = head;
  }

  take(text: string): void {
    const line = parseLine(text);
    if (this.isEnded) throw new Broken("there is something after the end of the export");
    if (this.chain === "") this.#header(line);
    else if ("end" in line) this.#end(line);
    else if ("error" in line) throw new Broken("the export was broken off: the server could not read the rest");
    else this.#link(line);
  }

  #header(line: JsonObject): void {
    const { after, cell, chain, format } = line;
    if (namesOf(line) !== HEADER || format !== FORMAT) throw new Broken(`this is no export in the form ${FORMAT}`);
    if (typeof chain !== "string" || !isObject(after)) throw new Broken("the header is malformed");
    this.begin = position(after, "hash,seq");
    // Nobody chooses the hash before the first entry: it says which chain this is.
    if (this.begin.seq === 0 && this.begin.hash !== sha256(`portcullis audit log 1 ${chain}`))
      throw new Broken(`this is not the beginning of the chain '${chain}'`);
    this.chain = chain;
    this.cell = cell ?? null;
    this.#reach(this.begin);
  }

  #link(line: JsonObject): void {
    const { seq, hash } = position(line);
    const isNext = this.chain.startsWith("organization ") ? seq > this.last.seq : seq === this.last.seq + 1;
    if (!isNext) throw new Broken(`entry ${seq} follows entry ${this.last.seq}: entries are missing, twice there, or out of order`);
    const digest = this.#digest(line, seq);
    if (sha256(this.last.hash + digest) !== hash)
      throw new Broken(`entry ${seq} does not fit: it was changed, or something before it was changed, left out, moved or put in`);
    this.entries += 1;
    this.#reach({ seq, hash });
  }

  /** The digest of what the line says, or the one it gives in place of that. */
  #digest(line: JsonObject, seq: number): string {
    if ("content" in line) return this.#bareDigest(line, seq);
    if (namesOf(line) !== ENTRY) throw new Broken(`entry ${seq} has other members than an entry has`);
    const { hash: _, ...content } = line;
    const { at, organizations } = content;
    if (!this.#mayConcern(organizations))
      throw new Broken(`entry ${seq} does not concern the organization that this chain is said to be of`);
    if (typeof at !== "string" || at < this.latestAt) throw new Broken(`entry ${seq} is earlier than the one before it`);
    this.latestAt = at;
    return sha256(canonical(content));
  }

  /** In an organization's export there is content only of what concerns it alone; under `installation`, of what concerns none. */
  #mayConcern(organizations: Json | undefined): boolean {
    const [kind, organization = ""] = this.chain.split(" ", 2);
    if (kind !== "organization") return true;
    return canonical(organizations ?? null) === canonical(organization === "installation" ? [] : [organization]);
  }

  #bareDigest(line: JsonObject, seq: number): string {
    const { content, digest } = line;
    if (namesOf(line) !== BARE_LINK || typeof digest !== "string" || !HASH.test(digest)) throw new Broken(`entry ${seq} is malformed`);
    if (content === "dropped" && this.latestAt !== "")
      throw new Broken(`the content of entry ${seq} is gone, although that of an older one is there: it was taken out`);
    if (content === "dropped") this.dropped += 1;
    else if (content === "expired" && this.chain !== "denials") this.expired += 1;
    else if (content === "withheld" && this.chain.startsWith("organization ")) this.withheld += 1;
    else throw new Broken(`entry ${seq} is without its content for no reason there is`);
    return digest;
  }

  #end(line: JsonObject): void {
    const { end } = line;
    if (namesOf(line) !== "end" || !isObject(end)) throw new Broken("the end is malformed");
    const { seq, hash } = position(end, "entries,hash,seq");
    if (seq !== this.last.seq || hash !== this.last.hash || end["entries"] !== this.entries)
      throw new Broken("the end is not that of these entries: the last ones are missing, or others were added");
    this.isEnded = true;
  }

  #reach(place: { readonly seq: number; readonly hash: string }): void {
    this.last = place;
    if (place.hash === this.head) this.headSeq = place.seq;
  }

  /** What is known now that the file is at its end; throws {@link Broken} if it cannot be all. */
  report(): string[] {
    if (this.chain === "") throw new Broken("the file is empty");
    if (!this.isEnded) throw new Broken(`the file breaks off after entry ${this.last.seq}: its end is missing`);
    if (this.head !== undefined && this.headSeq === undefined)
      throw new Broken("the hash that you noted is not in this file: entries were cut off or rewritten, or it is of another chain or time");
    const { chain, cell, begin, last, entries, dropped, expired, withheld } = this;
    return [
      `The chain holds: ${entries} entries of '${chain}', after ${begin.seq} up to ${last.seq} (of cell ${JSON.stringify(cell)}, as the header says).`,
      `Head: ${last.hash}`,
      ...(begin.seq > 0
        ? [
            `Begins after entry ${begin.seq} with hash ${begin.hash}. Of what came before, this says nothing; nor, of a whole cell, whether these are its entries or its refusals.`,
          ]
        : []),
      ...(dropped > 0 ? [`${dropped} entries, the oldest, are without content: it was dropped when its time was up.`] : []),
      ...(expired > 0
        ? [
            `${expired} entries are without content, said to be customers' own events that an organization keeps for a shorter time. The chain shows that they were there, not what they said, nor that they were such events: an export from before does.`,
          ]
        : []),
      ...(withheld > 0 ? [`${withheld} entries are without content because they concern other organizations as well.`] : []),
      this.#verdict(),
    ];
  }

  #verdict(): string {
    if (this.headSeq === undefined)
      return (
        "Not shown: that nothing was cut off at the end, and that the whole log was not written anew by whoever keeps the database. " +
        "Note the head above where nobody else can change it, and give it as --head next time."
      );
    if (this.headSeq === this.last.seq) return "The file ends at the head that you noted: everything in it is as it was then.";
    return (
      `Everything up to entry ${this.headSeq} is as it was when you noted its hash. The entries after it are newer: note the head above. ` +
      "Not shown: that nothing newer was cut off."
    );
  }
}

function parseLine(text: string): JsonObject {
  let line: Json;
  try {
    line = JSON.parse(text) as Json;
  } catch {
    throw new Broken("a line is not JSON");
  }
  if (!isObject(line)) throw new Broken("a line is not a JSON object");
  // A member that is there twice has two meanings, and only one of them is looked at here.
  if (JSON.stringify(line) !== text)
    throw new Broken("a line is not as it was exported: a member is there twice, a value is written otherwise, or there is white space");
  return line;
}

function position(from: JsonObject, names?: string): { readonly seq: number; readonly hash: string } {
  const { seq, hash } = from;
  const isRight = names === undefined || namesOf(from) === names;
  if (!isRight || typeof seq !== "number" || !Number.isSafeInteger(seq) || seq < 0 || typeof hash !== "string" || !HASH.test(hash))
    throw new Broken("a line has no proper seq and hash");
  return { seq, hash };
}

function namesOf(line: JsonObject): string {
  return Object.keys(line).toSorted().join(",");
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Lines end with a line feed and nothing else, so that no text in them does. */
async function* linesOf(file: string): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of createReadStream(file, "utf8")) {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/** Reads a file line by line. Answers the exit status. */
async function verify(file: string, head: string | undefined): Promise<number> {
  const verification = new Verification(head);
  let lineNumber = 0;
  try {
    for await (const line of linesOf(file)) {
      lineNumber += 1;
      verification.take(line);
    }
    console.log(verification.report().join("\n"));
    return 0;
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    console.error(`THIS LOG DOES NOT HOLD (line ${lineNumber}): ${error.message}.`);
    return 1;
  }
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { head: { type: "string" } } });
const [file] = positionals;
if (file === undefined || positionals.length > 1 || (values.head !== undefined && !HASH.test(values.head))) {
  console.error("Usage: npm run audit:verify -- <file.ndjson> [--head <64 hexadecimal characters>]");
  process.exitCode = 2;
} else {
  process.exitCode = await verify(file, values.head);
}
