/** What every script does with options: `--help` explains them all, and one that it does not know is refused before anything is done. */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { describe, expect, it } from "vitest";

const PROJECT = path.resolve(import.meta.dirname, "../..");
const SCRIPTS = [
  ["npm start", "local/start.ts", ["--reset", "--gateway-port", "--control-plane-port", "--api-port"]],
  ["npm run demo", "local/demo.ts", []],
  ["npm run protocol:explain", "local/explain-protocol.ts", []],
  ["npm run simulate", "test/simulation/simulate.ts", ["--seeds", "--from", "--trace", "--mutant", "--mutants", "--exhaustive", "--depth"]],
  ["npm run deploy:check", "local/deploy-check.ts", []],
  ["npm run deploy:secrets", "local/deploy-secrets.ts", ["--out"]],
  ["npm run fault", "test/fault/run.ts", []],
  ["npm run soak", "test/soak/soak.ts", ["--minutes", "--rate", "--seed", "--gateway"]],
  ["npm run limits:load", "test/simulation/limits-load.ts", ["--real"]],
  ["npm run bench", "test/bench/bench.ts", ["--json", "--quick"]],
] as const;

const run = (script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  spawnSync(process.execPath, [script, ...args], { cwd: PROJECT, encoding: "utf8", env: { ...process.env, ...env } });

describe.each(SCRIPTS)("%s", (name, script, options) => {
  it("explains its options", () => {
    const { status, stdout, stderr } = run(script, ["--help"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout.startsWith(name)).toBe(true);
    for (const option of options) expect(stdout).toMatch(new RegExp(`${option}\\b`));
  });

  it.each([
    ["--bogus", "Unknown option '--bogus'."],
    ["now", "Unexpected argument 'now'."],
  ])("says what is wrong with %s, and how to call it", (argument, fault) => {
    const { status, stdout, stderr } = run(script, [argument]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr.startsWith(`${fault}\n\n${name}`), stderr).toBe(true);
  });
});

it.each([
  ["test/simulation/simulate.ts", ["--seeds", "many"], {}, "--seeds takes a whole number, not 'many'."],
  ["test/simulation/simulate.ts", ["--seeds"], {}, "Option '--seeds <value>' argument missing."],
  ["test/simulation/simulate.ts", ["--trace", "1", "--mutant", "good"], {}, "--mutant takes one of "],
  ["test/soak/soak.ts", ["--minutes", "many"], {}, "'many' is not a number."],
  ["test/soak/soak.ts", ["--gateway", "good"], {}, "'good' is no gateway."],
  ["test/fault/run.ts", [], { KILLS: "some" }, "'some' is not a number of kills."],
] as const)("%s %j %j: says what is wrong", (script, args, env, fault) => {
  const { status, stdout, stderr } = run(script, args, env);
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr.startsWith(fault), stderr).toBe(true);
});
