/** The permission algebra: what is granted together is never more than either side allows. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonical, covers, coversAny, intersect, notCovered } from "../../core/permission.ts";
import { permissionSlug } from "../../core/permission-slug.ts";

const segment = fc.constantFrom("a", "b", "c");
const slug = fc
  .tuple(fc.array(segment, { maxLength: 3 }), fc.boolean())
  .map(([segments, wild]) => (segments.length === 0 ? "*" : segments.join(":") + (wild ? ":*" : "")));
const concrete = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join(":"));
const slugs = fc.array(slug, { maxLength: 6 });

describe("permissions", () => {
  it("cover reflexively and transitively", () => {
    fc.assert(fc.property(slug, (a) => covers(a, a)));
    fc.assert(fc.property(slug, slug, slug, (a, b, c) => !covers(a, b) || !covers(b, c) || covers(a, c)));
  });

  it("intersect to exactly what both sides cover", () => {
    fc.assert(
      fc.property(slugs, slugs, concrete, (left, right, needed) => {
        expect(coversAny(intersect(left, right), needed)).toBe(coversAny(left, needed) && coversAny(right, needed));
      }),
      { numRuns: 2000 },
    );
  });

  it("intersect the same in either order, and with themselves to themselves", () => {
    fc.assert(
      fc.property(slugs, slugs, (left, right) => {
        expect(intersect(left, right)).toEqual(intersect(right, left));
      }),
    );
    fc.assert(
      fc.property(slugs, (held) => {
        expect(intersect(held, held)).toEqual(canonical(held));
      }),
    );
  });

  it("lose nothing by being put in canonical form", () => {
    fc.assert(
      fc.property(slugs, concrete, (held, needed) => {
        expect(coversAny(canonical(held), needed)).toBe(coversAny(held, needed));
      }),
    );
  });

  it("are not covered exactly when nothing covers them", () => {
    fc.assert(
      fc.property(slugs, slugs, (asked, held) => {
        expect(notCovered(asked, held)).toEqual(asked.filter((one) => !coversAny(held, one)));
      }),
    );
  });

  it.each(["*", "a", "a:b", "documents:*", "a.b-c_d:e:*"])("takes the slug %s", (text) =>
    expect(permissionSlug.safeParse(text).success).toBe(true),
  );
  it.each(["", "A", "a:", ":a", "a:*:b", "a*", "*:a", "a b", "ä", "a".repeat(49)])("refuses the slug %j", (text) =>
    expect(permissionSlug.safeParse(text).success).toBe(false),
  );

  it("do not leak over a segment: 'doc:*' does not cover 'documents:read' nor 'doc'", () => {
    expect(covers("doc:*", "documents:read")).toBe(false);
    expect(covers("doc:*", "doc")).toBe(false);
    expect(covers("doc:*", "doc:read")).toBe(true);
  });
});
