/** The pages of the docs that are made from the declarations: which permission each endpoint needs, every error there is, every event. */
import { z } from "zod";
import { routeFileJsonSchema } from "../cli/route-file-schema.ts";
import type { Endpoint, Section } from "../control-plane/http/endpoint.ts";
import { ERRORS, type ErrorCode } from "../control-plane/http/error-catalogue.ts";
import { SECTIONS } from "../control-plane/http/sections.ts";
import { EVENT_TYPES, EVENTS } from "../control-plane/ledger/event-catalogue.ts";
import { errorsOf } from "../control-plane/reference/declared-errors.ts";
import { PLATFORM_PERMISSIONS } from "../core/permission.ts";
import { isServedScope } from "../core/widget.ts";

const MADE = "*Made by `npm run docs` from the declarations that the control plane serves; a test checks that it is up to date.*";
/** An error that more endpoints than these share is not traced to them. */
const ENDPOINTS_NAMED_MAX = 4;

/** Files of this folder with their text. */
export function generatedPages(): Readonly<Record<string, string>> {
  return {
    "permissions.md": permissionsPage(SECTIONS),
    "errors.md": errorsPage(SECTIONS.flatMap((section) => section.endpoints)),
    "events.md": eventsPage(),
    "routes.schema.json": routeFileJsonSchema(),
  };
}

function permissionsPage(sections: readonly Section[]): string {
  const endpoints = sections.flatMap((section) => section.endpoints);
  return (
    [
      "# Who may call what",
      MADE,
      "Every endpoint of the control plane declares the one thing it needs, and asks for it before it reads anything else. A test walks every " +
        "endpoint with every permission and compares with this page's source.",
      ...sections.flatMap(({ title, endpoints: ofSection }) => [
        `## ${title}`,
        table(
          ["endpoint", "", "needs"],
          ofSection.map((each) => [placeOf(each), each.summary, needOf(each)]),
        ),
      ]),
      "## What each permission allows",
      table(
        ["permission", "endpoints"],
        PLATFORM_PERMISSIONS.map((permission) => [
          code(permission),
          endpoints
            .filter(({ access }) => access === permission)
            .map(placeOf)
            .join("<br>"),
        ]),
      ),
      "",
    ]
      .join("\n\n")
      .trimEnd() + "\n"
  );
}

const OTHER_NEEDS: Readonly<Record<string, string>> = {
  public: "nothing",
  any_platform_key: "any platform key",
  bootstrap_secret: "the bootstrap secret",
  signed_url: "a signed URL, for ten minutes",
};

function needOf({ access }: Endpoint): string {
  return OTHER_NEEDS[access] ?? (isServedScope(access) ? `a widget's token with ${code(access)}` : code(access));
}

function errorsPage(endpoints: readonly Endpoint[]): string {
  return (
    [
      "# Errors of the control plane",
      MADE,
      "Every error is a JSON object with `message`, for people, and `code`, for programs: a code keeps its meaning and its status. On 422 there is " +
        "also `errors`, one for each field at fault. `X-Request-ID` names the request in the log.",
      table(
        ["status", "code", "what it means", "what to do", "answered by"],
        inOrder().map((each) => [
          String(ERRORS[each].status),
          code(each),
          ERRORS[each].meaning,
          ERRORS[each].remedy,
          sourcesOf(each, endpoints),
        ]),
      ),
    ].join("\n\n") + "\n"
  );
}

function inOrder(): ErrorCode[] {
  const codes = Object.keys(ERRORS) as ErrorCode[];
  return codes.toSorted((a, b) => ERRORS[a].status - ERRORS[b].status);
}

function sourcesOf(error: ErrorCode, endpoints: readonly Endpoint[]): string {
  const sources = endpoints.filter((each) => errorsOf(each).includes(error));
  if (sources.length === 0) return "";
  return sources.length > ENDPOINTS_NAMED_MAX ? "many endpoints" : sources.map(placeOf).join("<br>");
}

function eventsPage(): string {
  const shapes = new Set(EVENT_TYPES.map((type) => EVENTS[type].data));
  return (
    [
      "# Events",
      MADE,
      "Everything that `GET /events` lists and webhooks send. A filter or a webhook endpoint that names another type is refused. What to make of " +
        "events is in [governance.md](governance.md#what-each-event-means), how they are delivered in [api.md](api.md#events-and-webhooks).",
      table(
        ["event", "what has happened", "`data`"],
        EVENT_TYPES.map((type) => [
          code(type),
          EVENTS[type].means,
          `[${shapeName(EVENTS[type].data)}](#${shapeName(EVENTS[type].data).toLowerCase()})`,
        ]),
      ),
      "## What `data` holds",
      "The object as of the change, whatever has become of it since; of an object that was removed, as it was last. `previous_attributes` is there where " +
        "something changed. The types of the members are in the reference (`/reference`).",
      ...[...shapes].flatMap((shape) => [`### ${shapeName(shape)}`, Object.keys(shape.shape).map(code).join(", ")]),
    ].join("\n\n") + "\n"
  );
}

function shapeName(shape: z.ZodType): string {
  return z.globalRegistry.get(shape)?.id ?? "";
}

function placeOf({ method, path }: Endpoint): string {
  return code(`${method} ${path}`);
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");
}
