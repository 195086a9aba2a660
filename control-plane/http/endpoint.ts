/**
 * An endpoint is a declaration: where it is, who may call it, what it takes, what it answers, and how. Everything that is said
 * about an endpoint elsewhere (routing, the checks before its handler, the published document, the tables in the docs, the tests
 * that walk all endpoints) is derived from it.
 */
import { z } from "zod";
import type { RandomBytes } from "../../core/base62.ts";
import type { PlatformPermission } from "../../core/permission.ts";
import type { ServedScope } from "../../core/widget.ts";
import type { Cells } from "../cells.ts";
import type { ControlPlaneConfiguration } from "../configuration.ts";
import type { UsageStores } from "../usage/access.ts";
import type { WebhookAccess } from "../webhooks/access.ts";
import type { IdentityProvider } from "../sign-in/identity-provider.ts";
import type { Caller } from "./caller.ts";
import type { ErrorCode } from "./error-catalogue.ts";
import type { PlatformKeyUses } from "./platform-key-uses.ts";
import type { NamesIn, ParameterName, PathValues } from "./path-parameters.ts";
import type { Limits } from "./rate-limit.ts";
import type { Replies, Reply, ReplyTo } from "./reply.ts";
import type { Terms } from "./send.ts";

/** What endpoints work with. */
export interface Services {
  readonly configuration: ControlPlaneConfiguration;
  readonly cells: Cells;
  /** Where admins sign in; null: nowhere. */
  readonly identityProvider: IdentityProvider | null;
  readonly now: () => number;
  readonly randomBytes: RandomBytes;
  readonly limits: Limits;
  readonly webhooks: WebhookAccess;
  readonly platformKeyUses: PlatformKeyUses;
  readonly usage: UsageStores;
}

/** HEAD comes along with GET. Whatever is not GET may carry a body and an Idempotency-Key. */
export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/**
 * Who may call: holders of a platform permission, holders of any platform key, whoever knows the bootstrap secret, whoever was given a URL that is
 * signed (of what, the handler looks), anyone; or a widget whose token has a scope.
 */
export type Access = PlatformPermission | "any_platform_key" | "bootstrap_secret" | "signed_url" | "public" | ServedScope;

/** A request that has passed the door: the caller may make it, and all it carries has been parsed. */
export interface Call<Verb, Path extends string, Query, Body> {
  readonly services: Services;
  readonly caller: Caller;
  readonly params: PathValues<Path>;
  readonly query: Query;
  readonly body: Body;
  /** Where the caller found us: scheme and host. */
  readonly origin: string;
  /** For commands; null for GET. */
  readonly terms: Verb extends "GET" ? null : Terms;
}

/** Where an endpoint is, and what is said about it. */
interface Description {
  readonly method: Method;
  /** Parameters as `:name`, with names of `PATH_PARAMETERS`. */
  readonly path: string;
  /** Names the call in generated clients; unique. */
  readonly operationId: string;
  /** One line. */
  readonly summary: string;
  /** What the line leaves open, in Markdown. */
  readonly description?: string;
  readonly access: Access;
  /** An object of texts; absent: query parameters are ignored. */
  readonly query?: z.ZodObject;
  /** Absent: a body is not needed, but if there is one it must be a JSON object. Never read for GET. */
  readonly body?: z.ZodType;
  /** A request without Idempotency-Key is refused. */
  readonly needsIdempotencyKey?: true;
  /** A reply 202 says that the call waits until its change is in force, unless `Prefer: respond-async` is sent. */
  readonly replies: Replies;
  /** What it can answer besides the errors that follow from the rest of the declaration. */
  readonly errors?: readonly ErrorCode[];
}

/** What {@link endpoint} takes: the description with its types, and the handler. */
interface Declaration<
  Verb extends Method,
  Path extends string,
  Query extends z.ZodObject,
  Body extends z.ZodType,
  Declared extends Replies,
> extends Description {
  readonly method: Verb;
  readonly path: NamesIn<Path> extends ParameterName ? Path : never;
  readonly query?: Query;
  readonly body?: Body;
  readonly replies: Declared;
  readonly handler: (call: Call<Verb, Path, z.output<Query>, z.output<Body>>) => Promise<ReplyTo<Declared>>;
}

type AnyCall = Call<Method, string, unknown, unknown>;

/** Any endpoint, for those who serve or describe all of them. */
export interface Endpoint extends Description {
  readonly handler: (call: AnyCall) => Promise<Reply>;
}

/** Endpoints that belong together. */
export interface Section {
  readonly title: string;
  readonly endpoints: readonly Endpoint[];
}

/** What is taken by endpoints that name nothing. */
export const NO_FIELDS = z.object({});

/** Declares an endpoint. The handler's call and answer have the types of the schemas. */
export function endpoint<
  const Verb extends Method,
  const Path extends string,
  Declared extends Replies,
  Query extends z.ZodObject = typeof NO_FIELDS,
  Body extends z.ZodType = typeof NO_FIELDS,
>(declaration: Declaration<Verb, Path, Query, Body, Declared>): Endpoint {
  // The types of what the handler takes are forgotten here: it is `serve` that parses by this very declaration.
  return declaration as unknown as Endpoint;
}
