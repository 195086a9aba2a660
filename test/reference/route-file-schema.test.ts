/** The route file's JSON Schema says of everything what it is: editors show that to whoever writes the file. */
import { expect, it } from "vitest";
import { routeFileJsonSchema } from "../../cli/route-file-schema.ts";

interface Found {
  readonly described: string[];
  readonly undescribed: string[];
}

/** Places of all members that a schema has anywhere, by whether they are described. */
function membersOf(schema: unknown, place = "", found: Found = { described: [], undescribed: [] }): Found {
  if (typeof schema !== "object" || schema === null) return found;
  for (const [name, inner] of Object.entries(schema)) {
    if (name === "properties")
      for (const [member, said] of Object.entries(inner as Readonly<Record<string, { readonly description?: string }>>))
        (said.description ? found.described : found.undescribed).push(`${place}/${member}`);
    membersOf(inner, `${place}/${name}`, found);
  }
  return found;
}

it("describes every member, however deep", () => {
  const { described, undescribed } = membersOf(JSON.parse(routeFileJsonSchema()));
  expect(undescribed).toEqual([]);
  // It would be no art to find none.
  expect(described.length).toBeGreaterThan(50);
});
