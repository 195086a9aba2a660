/** `diff`: what publishing would change, route by route. The order of routes means nothing. */
import { methodsOf, type Route } from "../core/route.ts";

/** The changes from one table to another, a line each; none when they mean the same. */
export function differences(before: readonly Route[], after: readonly Route[]): string[] {
  const [old, fresh] = [byName(before), byName(after)];
  const names = [...new Set([...old.keys(), ...fresh.keys()])].toSorted();
  return names.flatMap((name) => {
    const [was, is] = [old.get(name), fresh.get(name)];
    if (!was) return is ? [`+ ${name}: ${placeOf(is)}, ${accessOf(is)}`] : [];
    return is ? changes(was, is) : [`- ${name}: ${placeOf(was)}, ${accessOf(was)}`];
  });
}

function changes(was: Route, is: Route): string[] {
  const members = [...new Set([...Object.keys(was), ...Object.keys(is)])] as (keyof Route)[];
  const changed = members.filter((member) => stable(was[member]) !== stable(is[member]));
  return changed.map((member) => `~ ${is.name}: ${member} ${stable(was[member])} -> ${stable(is[member])}${warningOf(member, was, is)}`);
}

/** What a reviewer must not overlook. */
function warningOf(member: keyof Route, was: Route, is: Route): string {
  return member === "public" && is.public === true && was.public !== true ? "  (NO KEY WILL BE NEEDED)" : "";
}

function placeOf(route: Route): string {
  return `${methodsOf(route).join(",")} ${route.host ?? ""}${route.path}`;
}

function accessOf({ public: isPublic, permissions }: Route): string {
  return isPublic === true ? "public" : stable(permissions);
}

/** The value as JSON, with members in the order of their names. */
function stable(value: unknown): string {
  if (value === undefined) return "(nothing)";
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : inner,
  );
}

function byName(routes: readonly Route[]): ReadonlyMap<string, Route> {
  return new Map(routes.map((route) => [route.name, route]));
}
