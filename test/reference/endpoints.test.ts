/** What no declaration can say by itself: that it does not get in another one's way. */
import { expect, it } from "vitest";
import { ENDPOINTS } from "../../control-plane/http/sections.ts";

/** Parameters of any name match the same paths. */
const PLACES = ENDPOINTS.map(({ method, path }) => `${method} ${path.replaceAll(/:\w+/g, ":")}`);

it("no two endpoints are in the same place or have the same name", () => {
  expect(PLACES.toSorted()).toEqual([...new Set(PLACES)].toSorted());
  const names = ENDPOINTS.map(({ operationId }) => operationId);
  expect(names.toSorted()).toEqual([...new Set(names)].toSorted());
});
