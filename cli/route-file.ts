/** Reading the route file. */
import { readFileSync } from "node:fs";
import type { z } from "zod";
import { Failure } from "./failure.ts";
import { routeFileSchema, type RouteFile } from "./route-file-schema.ts";

/** The file when none is named. */
export const FILE_USUALLY = "routes.json";

/** A file that holds what it may, or what is wrong with it, a line each. */
export type ReadFile = { readonly file: RouteFile } | { readonly faults: readonly string[] };

/** Reads a file; fails when there is none, or when it is no JSON. */
export function readRouteFile(path: string): ReadFile {
  const json = jsonOf(path);
  const parsed = routeFileSchema.safeParse(json);
  return parsed.success ? { file: parsed.data } : { faults: parsed.error.issues.map((issue) => describeIssue(issue, json)) };
}

/** The same, for commands that need all of it right. */
export function requireRouteFile(path: string): RouteFile {
  const read = readRouteFile(path);
  if ("file" in read) return read.file;
  throw new Failure([`${path} is not in order:`, ...read.faults.map((fault) => `  ${fault}`)].join("\n"));
}

/** Reads any JSON file. */
export function jsonOf(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as unknown;
  } catch (error) {
    throw new Failure(`Cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The place of a fault; routes by their names, which are found faster than their numbers. */
function describeIssue({ path, message }: z.core.$ZodIssue, json: unknown): string {
  const [list, at, ...inside] = path;
  const name = list === "routes" && typeof at === "number" ? nameOf(json, at) : undefined;
  const place = name === undefined ? path.join(".") : [`route '${name}'`, inside.join(".")].filter((part) => part !== "").join(", ");
  return place === "" ? message : `${place}: ${message}`;
}

function nameOf(json: unknown, at: number): string | undefined {
  const { routes } = json as { readonly routes?: readonly { readonly name?: unknown }[] };
  const name = routes?.[at]?.name;
  return typeof name === "string" ? name : undefined;
}
