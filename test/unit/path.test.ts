/** Paths: what is accepted means the same to every server, and what is refused is a table of known attacks. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isPathFault, normalisePath, PATH_LENGTH_MAX } from "../../core/path.ts";
import { readTarget } from "../../core/target.ts";

/** Paths made of the pieces that attacks are made of, mixed with plain ones. */
const PIECES = [
  "/",
  ".",
  "..",
  "%2e",
  "%2E",
  "%2f",
  "%5c",
  "\\",
  ";",
  "%3b",
  "%25",
  "%",
  "%00",
  "%c0%ae",
  "%32",
  "%65",
  "%41",
  "%c3%a9",
  "é",
  "a",
  "@",
  "%40",
  "~",
  '"',
  "|",
  " ",
  "%20",
  "#",
  "?",
  "\u0085",
  "%c2%85",
  "%c2",
];
const path = fc.oneof(
  fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }).map((pieces) => `/${pieces.join("")}`),
  fc.webPath(),
  fc.string({ unit: "binary" }).map((text) => `/${text}`),
);

describe("any path", () => {
  test("never throws, and is either refused or rooted", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(normalisePath(text)).toMatch(/^(?:\/|ambiguous_path$)/);
      }),
    );
  });

  test("what is accepted is canonical already", () => {
    fc.assert(
      fc.property(path, (text) => {
        const once = normalisePath(text);
        fc.pre(!isPathFault(once));
        expect(normalisePath(once)).toBe(once);
      }),
      { numRuns: 2_000 },
    );
  });

  test("what is accepted has nothing that two servers read differently, however often it is decoded", () => {
    fc.assert(
      fc.property(path, (text) => {
        const normal = normalisePath(text);
        fc.pre(!isPathFault(normal));
        expect(normal.length).toBeLessThanOrEqual(PATH_LENGTH_MAX);
        expect(normal).not.toMatch(/%(?:2f|5c|3b|2e|0|1|7f)|[\\;?#]|\/\//i);
        const decoded = decodeURIComponent(normal);
        // oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
        expect(decoded).not.toMatch(/[\\;\u0000-\u001f\u007f-\u009f]|%[0-9a-f]{2}/i);
        expect(decoded.split("/")).toHaveLength(normal.split("/").length);
        expect(decoded.split("/")).not.toContain("..");
        expect(decoded.split("/")).not.toContain(".");
      }),
      { numRuns: 2_000 },
    );
  });

  test("what is accepted reaches the upstream byte for byte", () => {
    fc.assert(
      fc.property(path, (text) => {
        const normal = normalisePath(text);
        fc.pre(!isPathFault(normal));
        expect(new URL(`http://upstream.example/base${normal}?q`).pathname).toBe(`/base${normal}`);
      }),
      { numRuns: 2_000 },
    );
  });
});

test.each([
  "",
  "admin",
  "*",
  "//",
  "/a//b",
  "//admin",
  "/admin%2f..",
  "/admin%2F",
  "/a/../admin",
  "/a/./b",
  "/..",
  "/.",
  "/a/..",
  "/a/%2e%2e/admin",
  "/a/.%2e/admin",
  "/a/%2E./admin",
  "/a/%2e",
  "/%252e%252e/admin",
  "/%252fadmin",
  "/a%2541",
  "/%25%32%65",
  "/%%32%65",
  "/a/..;/admin",
  "/admin;x=1",
  "/admin%3bx",
  "/a/..%3B/admin",
  "/a\\b",
  "/..\\admin",
  "/a%5cb",
  "/a%5C..%5Cadmin",
  "/a%00",
  "/a%00.png",
  "/a%0d%0aX",
  "/a%09",
  "/a%7f",
  "/a%C2%85",
  "/a\u0000b",
  "/a\tb",
  "/a b",
  "/a\u0085b",
  "/%c0%ae%c0%ae/admin",
  "/%c0%af",
  "/%e0%80%af",
  "/%ed%a0%80",
  "/%ff",
  "/%",
  "/%2",
  "/%zz",
  "/a%u002f",
  "/\ud800",
  "/a#b",
  "/a?b",
  `/${"a".repeat(PATH_LENGTH_MAX)}`,
  `/${'"'.repeat(PATH_LENGTH_MAX / 2)}`,
])("%j is refused", (ambiguous) => expect(normalisePath(ambiguous)).toBe("ambiguous_path"));

test.each([
  ["/", "/"],
  ["/a/b", "/a/b"],
  ["/a/", "/a/"],
  ["/%41%7e%2D", "/A~-"],
  ["/caf%c3%a9", "/caf%C3%A9"],
  ["/café", "/caf%C3%A9"],
  ["/a%20b", "/a%20b"],
  ["/joe%40example.com", "/joe%40example.com"],
  ["/a@b:c,d=e+f!$&'()*", "/a@b:c,d=e+f!$&'()*"],
  ["/100%25", "/100%25"],
  ['/a|b[c]{d}^`"<>', "/a%7Cb%5Bc%5D%7Bd%7D%5E%60%22%3C%3E"],
  ["/...", "/..."],
  ["/.well-known/x", "/.well-known/x"],
  ["/a..b/c.", "/a..b/c."],
  ["/😀", "/%F0%9F%98%80"],
])("%j becomes %j", (sent, normal) => expect(normalisePath(sent)).toBe(normal));

test.each([
  ["https://api.example/a/b?x=1&y", "api.example", "/a/b", "?x=1&y"],
  ["http://API.Example.:8787/a/../b", "api.example", "/a/../b", ""],
  ["http://[::1]:8787/a\\b", "[::1]", "/a\\b", ""],
  ["http://[::1]/", "[::1]", "/", ""],
  ["http://h/a?x=/../%2f;?", "h", "/a", "?x=/../%2f;?"],
  ["http://h*", "h*", "", ""],
  ["http://h?x", "h", "", "?x"],
  ["http://h\\a/b", "h", "\\a/b", ""],
  ["ftp://h/a", "", "", ""],
  ["", "", "", ""],
])("the parts of %j are as sent", (url, host, sentPath, search) => {
  expect(readTarget(url)).toEqual({ host, path: sentPath, search, isHttps: url.startsWith("https:") });
});
