/** The control plane that commands talk to: the one that the environment names, or else the one that runs on this machine. */
import { z } from "zod";
import { routesSchema, type Route } from "../core/route.ts";
import { ApiCallError, callApi, type Json } from "../local/api-client.ts";
import { readInstallation } from "../local/installation.ts";
import type { Known } from "./check.ts";
import { Failure } from "./failure.ts";

const tableSchema = z.object({ version: z.number(), routes: routesSchema });
const servicesSchema = z.object({ upstream_services: z.array(z.string()).nullable() });
const versionsSchema = z.object({
  data: z.array(
    z.object({
      version: z.number(),
      route_count: z.number(),
      restored_from: z.number().nullable(),
      published_at: z.string().nullable(),
      published_by: z.object({ type: z.string(), id: z.string() }).nullable(),
    }),
  ),
});
const permissionsSchema = z.object({
  data: z.array(z.object({ slug: z.string() })),
  list_metadata: z.object({ after: z.string().nullable() }),
});

/** The table in force. */
export type TableInForce = z.infer<typeof tableSchema>;

/** What is said of a version that is kept. */
export type KeptVersion = z.infer<typeof versionsSchema>["data"][number];

/** Where it is, and what opens it. */
interface Access {
  readonly url: URL;
  readonly key: string;
}

/** One control plane. Every call fails with a sentence that says what to do. */
export class ControlPlane {
  readonly #access: Access;

  constructor(access: Access) {
    this.#access = access;
  }

  /** Where it is, to be said to people. */
  get name(): string {
    return this.#access.url.origin;
  }

  async table(): Promise<TableInForce> {
    return tableSchema.parse(await this.#call("GET", "/routes"));
  }

  async versions(): Promise<readonly KeptVersion[]> {
    return versionsSchema.parse(await this.#call("GET", "/routes/versions")).data;
  }

  /** What it knows that routes are held against. */
  async known(): Promise<Known> {
    const { upstream_services: services } = servicesSchema.parse(await this.#call("GET", "/routes"));
    return { catalogue: await this.permissions(), services };
  }

  /** All permissions of the catalogue, by slug. */
  async permissions(): Promise<string[]> {
    const slugs: string[] = [];
    let after: string | null = null;
    do {
      const query = after === null ? "" : `&after=${after}`;
      const page = permissionsSchema.parse(await this.#call("GET", `/authorization/permissions?limit=100${query}`));
      slugs.push(...page.data.map(({ slug }) => slug));
      ({ after } = page.list_metadata);
    } while (after !== null);
    return slugs;
  }

  /** Puts routes in force on top of a version; undefined when that is not the one in force any more. */
  async publish(routes: readonly Route[], version: number): Promise<number | undefined> {
    return this.#change("PUT", "/routes", { routes, version });
  }

  /** Puts a kept version in force on top of another one. */
  async restore(kept: number, version: number): Promise<number | undefined> {
    return this.#change("POST", `/routes/versions/${kept}/restore`, { version });
  }

  async #change(method: string, path: string, body: Json): Promise<number | undefined> {
    try {
      return tableSchema.parse(await callApi(this.#access.url, this.#access.key, method, path, body)).version;
    } catch (error) {
      if (error instanceof ApiCallError && error.code === "version_conflict") return undefined;
      throw this.#failure(error);
    }
  }

  async #call(method: string, path: string): Promise<Json> {
    try {
      return await callApi(this.#access.url, this.#access.key, method, path);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): Failure {
    if (error instanceof ApiCallError) return new Failure(`${this.name} refused ${error.message}`);
    return new Failure(`${this.name} cannot be reached. Is it running, and is the URL right?`);
  }
}

/** Names of the variables that say which control plane. */
const URL_VARIABLE = "PORTCULLIS_URL";
const KEY_VARIABLE = "PORTCULLIS_KEY";

/** The control plane there is; undefined when neither the environment nor this machine has one. */
export function knownControlPlane(env: NodeJS.ProcessEnv): ControlPlane | undefined {
  const [url, key] = [env[URL_VARIABLE], env[KEY_VARIABLE]];
  if ((url === undefined) !== (key === undefined)) throw new Failure(`Set both ${URL_VARIABLE} and ${KEY_VARIABLE}, or neither.`);
  if (url !== undefined && key !== undefined) return new ControlPlane({ url: parsedUrl(url), key });
  const local = readInstallation();
  return local && new ControlPlane({ url: new URL(local.controlPlane), key: local.adminKey });
}

/** The same, for commands that cannot do without. */
export function requireControlPlane(env: NodeJS.ProcessEnv): ControlPlane {
  const known = knownControlPlane(env);
  if (!known) throw new Failure(`Which control plane? Set ${URL_VARIABLE} and ${KEY_VARIABLE}, or start one here with npm start.`);
  return known;
}

function parsedUrl(text: string): URL {
  if (!URL.canParse(text)) throw new Failure(`${URL_VARIABLE} is no URL: '${text}'.`);
  const url = new URL(text);
  const isHere = ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isHere))
    throw new Failure(`${URL_VARIABLE} must begin with https://: the key would go over the network in the clear.`);
  return url;
}
