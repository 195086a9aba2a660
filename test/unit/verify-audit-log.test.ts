/** The offline verifier, run as an auditor runs it, over logs made with the ledger's own code and then tampered with in every way we know. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { canonicalJson } from "../../core/audit/canonical-json.ts";
import { contentDigest, firstHash, linkHash, type ChainName } from "../../core/audit/chain.ts";

type Line = Record<string, unknown>;

const SCRIPT = path.resolve(import.meta.dirname, "../../local/verify-audit-log.ts");
const folder = mkdtempSync(path.join(tmpdir(), "audit-log-"));
afterAll(() => rmSync(folder, { recursive: true }));

const HOSTILE = { "10": 1, "9": { ä: "\u2028\ud800\u0000", A: -0.5, "": null }, b: [1e21, 1e-7, true, "=1"], c: 1e20, a: "\uffff" };

/** How many of the oldest, and which others, have lost their content. */
interface WithoutContent {
  readonly dropped?: number;
  readonly withheld?: number;
  readonly expired?: number;
}

/** An export of so many entries as the control plane writes it, the first few of them without content. */
function exportOf(chain: ChainName, entries: number, more: WithoutContent = {}): Line[] {
  let hash = firstHash(chain);
  const lines: Line[] = [{ format: "portcullis-audit-log-1", chain, cell: 3, after: { seq: 0, hash } }];
  for (let n = 1; n <= entries; n += 1) {
    const seq = chain.startsWith("organization") ? 7 * n : n;
    const content = {
      seq,
      at: new Date(1_800_000_000_000 + n * 1_000).toISOString(),
      actor: { type: "api_key", id: `api_key_${n % 3}` },
      type: "api_key.updated",
      subject: `key ${n}`,
      organizations: ["org_a"],
      payload: { n, name: `"é\n=${n}`, ...HOSTILE },
      salt: `${n}`.padStart(32, "0"),
    };
    const digest = contentDigest({ ...content, payload: canonicalJson(content.payload) });
    hash = linkHash(hash, digest);
    const why = n <= (more.dropped ?? 0) ? "dropped" : n === more.withheld ? "withheld" : n === more.expired ? "expired" : undefined;
    lines.push(why === undefined ? { ...content, hash } : { seq, content: why, digest, hash });
  }
  const last = lines.at(-1);
  return [...lines, { end: { entries, seq: last?.["seq"] ?? 0, hash } }];
}

const textOf = (lines: readonly Line[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join("");
const hashAt = (lines: readonly Line[], n: number) => String(lines[n]?.["hash"]);

function verify(text: string, ...options: readonly string[]): { readonly status: number | null; readonly said: string } {
  const file = path.join(folder, "log.ndjson");
  writeFileSync(file, text);
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, file, ...options], { encoding: "utf8" });
  return { status, said: stdout + stderr };
}

const LOG = exportOf("ledger", 9);
const HEAD = hashAt(LOG, 9);

/** The log with entry n changed. */
function changing(n: number, change: Line): Line[] {
  return LOG.map((line, at) => (at === n ? { ...line, ...change } : line));
}

/** An organization's log from its fifth entry on, said to be that of another. */
function partOf(said: string): Line[] {
  const whole = exportOf("organization org_a", 9);
  return [
    { ...whole[0], chain: said, after: { seq: 28, hash: hashAt(whole, 4) } },
    ...whole.slice(5, -1),
    { end: { entries: 5, seq: 63, hash: hashAt(whole, 9) } },
  ];
}

/** A line with its number written so much shorter that there is room for another member of a name it has. */
function squeezed(n: number, from: string, to: string): string {
  const lines = textOf(LOG).split("\n");
  lines[n] = (lines[n] ?? "").replace("100000000000000000000", "1e20").replace(from, to);
  return lines.join("\n");
}

/** What a forger with the file and this code makes: everything from entry n on hashed anew. */
function forged(): Line[] {
  const other = exportOf("ledger", 9);
  let hash = firstHash("ledger");
  return other.map((line, n) => {
    if (n === 0) return line;
    if ("end" in line) return { end: { ...(line["end"] as Line), hash } };
    const content = { ...line, ...(n === 4 && { subject: "somebody else's key" }) } as unknown as Parameters<typeof contentDigest>[0];
    hash = linkHash(hash, contentDigest({ ...content, payload: canonicalJson(line["payload"]) }));
    return { ...content, hash };
  });
}

describe("a log that is as it was written", () => {
  test("holds, and its limits are said", () => {
    const { status, said } = verify(textOf(LOG));
    expect([status, said]).toEqual([0, expect.stringContaining("The chain holds: 9 entries of 'ledger', after 0 up to 9")]);
    expect(said).toContain(`Head: ${HEAD}`);
    expect(said).toMatch(/Not shown: .*cut off.*written anew/);
  });

  test("holds up to a head that was noted", () => {
    expect(verify(textOf(LOG), "--head", HEAD)).toMatchObject({
      status: 0,
      said: expect.stringContaining("everything in it is as it was") as string,
    });
    const earlier = verify(textOf(LOG), "--head", hashAt(LOG, 5));
    expect(earlier).toMatchObject({ status: 0, said: expect.stringMatching(/up to entry 5 .*newer/) as string });
  });

  test("holds with the oldest content dropped, and for one organization with some withheld", () => {
    expect(verify(textOf(exportOf("ledger", 9, { dropped: 4 })), "--head", HEAD)).toMatchObject({
      status: 0,
      said: expect.stringContaining("4 entries, the oldest, are without content") as string,
    });
    for (const chain of ["ledger", "organization org_a"] as const) {
      const { status, said } = verify(textOf(exportOf(chain, 9, { expired: 6 })), "--head", hashAt(exportOf(chain, 9), 9));
      expect([status, said]).toEqual([0, expect.stringContaining("1 entries are without content, said to be customers' own events")]);
    }
    expect(verify(textOf(exportOf("organization org_a", 9, { dropped: 2, withheld: 5 })))).toMatchObject({
      status: 0,
      said: expect.stringContaining("1 entries are without content because they concern other organizations") as string,
    });
    expect(verify(textOf(exportOf("denials", 0)))).toMatchObject({ status: 0 });
  });

  test("holds in parts, each of which says where it begins", () => {
    const part = [{ ...LOG[0], after: { seq: 4, hash: hashAt(LOG, 4) } }, ...LOG.slice(5, -1), { end: { entries: 5, seq: 9, hash: HEAD } }];
    const { status, said } = verify(textOf(part), "--head", hashAt(LOG, 4));
    expect([status, said]).toEqual([0, expect.stringContaining("Of what came before, this says nothing")]);
    expect(verify(textOf(partOf("organization org_a"))).status).toBe(0);
  });
});

describe("is found out:", () => {
  const without = (...gone: readonly number[]) => LOG.filter((_, at) => !gone.includes(at));
  const cutAt = (n: number) => [...LOG.slice(0, n + 1), { end: { entries: n, seq: n, hash: hashAt(LOG, n) } }];
  const replaced = (text: string, by: string) => textOf(LOG).replace(text, by);

  test.each([
    ["an edit of the actor", textOf(changing(4, { actor: { type: "api_key", id: "api_key_9" } }))],
    ["an edit deep in the payload", replaced('"n":4,', '"n":5,')],
    ["an edit of the time", textOf(changing(4, { at: new Date(1_800_000_004_001).toISOString() }))],
    ["an edit of whom it concerns", textOf(changing(4, { organizations: [] }))],
    ["a hash to go with an edit", textOf(changing(4, { subject: "x", hash: "0".repeat(64) }))],
    ["a removed entry", textOf(without(4))],
    [
      "a removed entry, the others renumbered",
      textOf(without(4).map((line) => (Number(line["seq"]) > 4 ? { ...line, seq: Number(line["seq"]) - 1 } : line))),
    ],
    ["the first entry removed", textOf(without(1))],
    ["two entries in each other's place", textOf([...LOG.slice(0, 4), ...LOG.slice(4, 6).toReversed(), ...LOG.slice(6)])],
    ["an entry twice", textOf([...LOG.slice(0, 5), ...LOG.slice(4)])],
    ["an entry put in", textOf([...LOG.slice(0, 5), { ...LOG[4], seq: 5 }, ...LOG.slice(5)])],
    ["an entry after the end", textOf([...LOG, LOG[9] ?? {}])],
    ["the last entries missing under the old end", textOf(without(8, 9))],
    ["no end", textOf(LOG.slice(0, -1))],
    ["an end with another count", textOf([...LOG.slice(0, -1), { end: { entries: 8, seq: 9, hash: HEAD } }])],
    ["a beginning that is not the chain's", textOf([{ ...LOG[0], chain: "organization org_b" }, ...LOG.slice(1)])],
    ["a beginning of the forger's choice", textOf([{ ...LOG[0], after: { seq: 0, hash: hashAt(LOG, 4) } }, ...LOG.slice(5)])],
    ["content said to have expired that no customer's event can have been", textOf(exportOf("denials", 9, { expired: 5 }))],
    [
      "a digest that does not fit, of what is said to have expired",
      textOf(exportOf("ledger", 9, { expired: 5 })).replace(/"digest":"../, '"digest":"zz'),
    ],
    ["content taken out of the middle", textOf([...LOG.slice(0, 5), ...exportOf("ledger", 9, { dropped: 9 }).slice(5)])],
    ["content said to be withheld from a whole cell", textOf(exportOf("ledger", 9, { withheld: 4 }))],
    ["a member that no hash covers", textOf(changing(4, { note: "approved" }))],
    ["a member that is there twice", replaced('"subject":"key 4"', '"subject":"key 9","subject":"key 4"')],
    ["a member that is there twice in the payload", replaced('"n":4,', '"n":9,"n":4,')],
    [
      "a member that is there twice, in the room of a number written shorter",
      squeezed(4, '"subject":"key 4"', '"subject":"key9","subject":"key 4"'),
    ],
    ["another way to write a number", squeezed(4, '"n":4', '"n":4')],
    ["an organization's log passed off as another's", textOf(partOf("organization org_b"))],
    ["an organization's log passed off as what concerns none", textOf(partOf("organization installation"))],
    ["an export that broke off", textOf([...LOG.slice(0, 5), { error: "The export ends here." }])],
    ["half a line", textOf(LOG).slice(0, 2_000)],
    ["a file that is something else", "cell,seq\r\n1,2\r\n"],
    ["an empty file", ""],
  ])("%s", (_, text) => {
    expect(text).not.toBe(textOf(LOG));
    const { status, said } = verify(text);
    expect([status, said]).toEqual([1, expect.stringMatching(/^THIS LOG DOES NOT HOLD \(line \d+\): /)]);
  });

  test.each([
    ["a log that ends early with an end of its own", cutAt(6)],
    ["a log that was written anew from an entry on", forged()],
    ["another chain's log", exportOf("denials", 9)],
  ])("with a noted head, and not without: %s", (_, lines) => {
    expect(verify(textOf(lines)).status).toBe(0);
    expect(verify(textOf(lines), "--head", HEAD)).toMatchObject({
      status: 1,
      said: expect.stringContaining("is not in this file") as string,
    });
  });
});

test("wrong usage is not taken for a log that does not hold", () => {
  expect(verify(textOf(LOG), "--head", "abc").status).toBe(2);
  expect(spawnSync(process.execPath, [SCRIPT], { encoding: "utf8" }).status).toBe(2);
});

test("the canonical form is that of RFC 8785", () => {
  const given = {
    "\u20ac": 1,
    "\r": 2,
    "\ufb33": 3,
    "1": 4,
    "\ud83d\ude00": 5,
    "\u0080": 6,
    "\u00f6": 7,
    literals: [null, true],
    n: [1e30, 4.5, 2e-3, 1e-27],
  };
  expect(canonicalJson(given)).toBe(
    '{"\\r":2,"1":4,"literals":[null,true],"n":[1e+30,4.5,0.002,1e-27],"\u0080":6,"\u00f6":7,"\u20ac":1,"\ud83d\ude00":5,"\ufb33":3}',
  );
  expect(canonicalJson({ gone: undefined, kept: [undefined] })).toBe('{"kept":[null]}');
});
