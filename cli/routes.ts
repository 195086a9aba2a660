/** `npm run routes`: routes as a file under review. Exit status: 0 all is well, 1 something is not as it should be, 2 it could not be done. */
import { existsSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { findingsIn } from "./check.ts";
import { knownControlPlane, requireControlPlane, type ControlPlane } from "./control-plane.ts";
import { differences } from "./diff.ts";
import { explanation } from "./explain.ts";
import { Failure, type ExitCode } from "./failure.ts";
import { importOpenApi } from "./openapi-import.ts";
import { FILE_USUALLY, jsonOf, readRouteFile, requireRouteFile } from "./route-file.ts";
import { writtenRequestSchema, type RouteFile } from "./route-file-schema.ts";
import { failuresOf } from "./route-tests.ts";

const USAGE = `npm run routes -- <command> [options]

  check                   is the file right? Overlaps, routes that never answer, permissions that the catalogue does not have
  diff                    what publishing would change
  test                    decides the requests in the file's 'tests' as the gateway would
  publish                 checks, tests, and puts the file in force, if nobody has published since it was compared
  history                 the versions there are
  rollback [version]      puts a version in force again; the one before, if none is named
  explain METHOD PATH     which route a request goes by, and why it passes or not
  import openapi.json     makes routes of an OpenAPI document

  --file F                the file (default ${FILE_USUALLY})
  --offline               check, publish: without the catalogue
  --onto N                publish, rollback: only on top of this version
  --live                  explain: by the routes in force, not by the file
  --permissions a,b       explain: what the key may do; without it there is no key
  --place P               explain: where the key is: bearer, x-api-key or basic
  --from A                explain: the client's network address
  --origin O              explain: a preflight from this origin; PATH is asked with METHOD afterwards
  --upstream URL          import: where the API is
  --permission P          import: asked for where the document wants a key but names no scope
  --out F                 import: a file to write, which must not exist yet; else the routes are printed
  --help                  this text

The control plane is the one at PORTCULLIS_URL, with PORTCULLIS_KEY, or else the one that npm start runs here.`;

const OPTIONS = {
  file: { type: "string", default: FILE_USUALLY },
  offline: { type: "boolean", default: false },
  onto: { type: "string" },
  live: { type: "boolean", default: false },
  permissions: { type: "string" },
  place: { type: "string" },
  from: { type: "string" },
  origin: { type: "string" },
  upstream: { type: "string" },
  permission: { type: "string" },
  out: { type: "string" },
  help: { type: "boolean", default: false },
} as const;

type Options = ReturnType<typeof parse>["values"];

/** A command with what it was given besides options. */
type Command = (options: Options, given: readonly string[]) => Promise<ExitCode>;

const COMMANDS: Readonly<Record<string, { readonly given: readonly [least: number, most: number]; readonly run: Command }>> = {
  check: { given: [0, 0], run: check },
  diff: { given: [0, 0], run: diff },
  test: { given: [0, 0], run: test },
  publish: { given: [0, 0], run: publish },
  history: { given: [0, 0], run: history },
  rollback: { given: [0, 1], run: rollback },
  explain: { given: [2, 2], run: explain },
  import: { given: [1, 1], run: importDocument },
};

async function check({ file, offline }: Options): Promise<ExitCode> {
  const read = readRouteFile(file);
  if ("faults" in read)
    return report(
      read.faults.map((fault) => `error    ${fault}`),
      "is not in order",
    );
  const controlPlane = offline ? undefined : knownControlPlane(process.env);
  if (!offline && !controlPlane) console.log("Permissions are not looked at: there is no control plane to ask (--offline to say so).");
  const { errors, warnings } = findingsIn(read.file.routes, await controlPlane?.known());
  for (const warning of warnings) console.log(`warning  ${warning}`);
  if (errors.length > 0)
    return report(
      errors.map((error) => `error    ${error}`),
      "is not in order",
    );
  console.log(`${file}: ${read.file.routes.length} routes are in order.`);
  return 0;
}

async function diff({ file }: Options): Promise<ExitCode> {
  const { routes } = requireRouteFile(file);
  const controlPlane = requireControlPlane(process.env);
  const inForce = await controlPlane.table();
  const changes = differences(inForce.routes, routes);
  for (const change of changes) console.log(change);
  console.log(
    `${changes.length === 0 ? "No changes" : `${changes.length} changes`} to version ${inForce.version} at ${controlPlane.name}.`,
  );
  return changes.length === 0 ? 0 : 1;
}

async function test({ file }: Options): Promise<ExitCode> {
  return runTests(requireRouteFile(file), file);
}

function runTests({ routes, tests = [] }: RouteFile, file: string): ExitCode {
  const failures = failuresOf(routes, tests);
  if (failures.length > 0) return report(failures, `${failures.length} of ${tests.length} tests failed`);
  console.log(tests.length === 0 ? `${file} has no tests.` : `${tests.length} tests passed.`);
  return 0;
}

async function publish(options: Options): Promise<ExitCode> {
  const controlPlane = requireControlPlane(process.env);
  if ((await check(options)) === 1) return 1;
  const file = requireRouteFile(options.file);
  if (runTests(file, options.file) === 1) return 1;
  const inForce = await controlPlane.table();
  const onto = versionOf(options.onto) ?? inForce.version;
  for (const change of differences(inForce.routes, file.routes)) console.log(change);
  return published(await controlPlane.publish(file.routes, onto), onto, controlPlane);
}

async function history(): Promise<ExitCode> {
  for (const { version, route_count, published_at, published_by, restored_from } of await requireControlPlane(process.env).versions()) {
    const origin = restored_from === null ? "" : `, version ${restored_from} again`;
    console.log(
      `${version}  ${published_at ?? "at an unknown time"}  ${published_by?.id ?? "nobody knows who"}  ${route_count} routes${origin}`,
    );
  }
  return 0;
}

async function rollback({ onto }: Options, [wanted]: readonly string[]): Promise<ExitCode> {
  const controlPlane = requireControlPlane(process.env);
  const [inForce, before] = await controlPlane.versions();
  const target = versionOf(wanted) ?? before?.version;
  if (!inForce || target === undefined) throw new Failure("There is no version to go back to.");
  const expected = versionOf(onto) ?? inForce.version;
  return published(await controlPlane.restore(target, expected), expected, controlPlane);
}

function published(version: number | undefined, onto: number, controlPlane: ControlPlane): ExitCode {
  if (version === undefined)
    return report([], `Somebody has published since version ${onto}: nothing was changed. See npm run routes -- diff`);
  console.log(`In force at every gateway of ${controlPlane.name}: version ${version}, on top of ${onto}.`);
  return 0;
}

async function explain(options: Options, [method = "", target = ""]: readonly string[]): Promise<ExitCode> {
  const { live, file, permissions, place, from, origin } = options;
  const { routes } = live ? await requireControlPlane(process.env).table() : requireRouteFile(file);
  const written = writtenRequestSchema.safeParse({
    request: `${origin === undefined ? method : "OPTIONS"} ${target}`,
    ...(permissions !== undefined && { permissions: permissions.split(",").filter((each) => each !== "") }),
    ...(place !== undefined && { place }),
    ...(from !== undefined && { from }),
    ...(origin !== undefined && { origin, preflight: method }),
  });
  if (!written.success) throw new Failure(written.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("\n"));
  for (const line of explanation(routes, written.data)) console.log(line);
  return 0;
}

async function importDocument({ upstream, permission, out }: Options, [document = ""]: readonly string[]): Promise<ExitCode> {
  if (upstream === undefined) throw new Failure("Where is the API? Give --upstream.");
  const imported = importOpenApi(jsonOf(document), { upstream, permission });
  if ("fault" in imported) throw new Failure(`${document} is no OpenAPI document: ${imported.fault}`);
  const { routes, problems } = imported;
  const text = `${JSON.stringify({ $schema: "./docs/routes.schema.json", routes }, null, 2)}\n`;
  if (out === undefined) process.stdout.write(text);
  else if (existsSync(out)) throw new Failure(`${out} exists: nothing was written. Name another file with --out, or move it away.`);
  else writeFileSync(out, text);
  return problems.length === 0 ? 0 : report(problems, `${problems.length} things were left out; ${routes.length} routes were made`);
}

/** Says on the error output what is not as it should be. */
function report(lines: readonly string[], verdict: string): ExitCode {
  for (const line of lines) console.error(line);
  console.error(`${verdict}.`);
  return 1;
}

function versionOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^(?:0|[1-9]\d{0,14})$/.test(text)) throw new Failure(`'${text}' is no version: see npm run routes -- history`);
  return Number(text);
}

function parse() {
  return parseArgs({ options: OPTIONS, allowPositionals: true });
}

/** Options that are not there, and commands that are not, end with 2 and the usage. */
function commandLine(): { readonly options: Options; readonly given: readonly string[]; readonly command: Command } {
  let fault: string;
  try {
    const { values, positionals } = parse();
    const [name = "", ...given] = positionals;
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    if (command && given.length >= command.given[0] && given.length <= command.given[1])
      return { options: values, given, command: command.run };
    fault = command ? `'${name}' is not called like that` : `There is no command '${name}'`;
  } catch (error) {
    fault = error instanceof Error ? (error.message.split(/\.\s/)[0] ?? "") : "Bad option";
  }
  console.error(`${fault}.\n\n${USAGE}`);
  process.exit(2);
}

const { options, given, command } = commandLine();
try {
  process.exitCode = await command(options, given);
} catch (error) {
  if (!(error instanceof Failure)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
