/** `npm run fault`: the fault tests in full, 30 kills unless KILLS says otherwise. In TypeScript, because not every shell can set a variable for one command. */
import { startVitest } from "vitest/node";
import { optionsOrUsage, refuseWithUsage } from "../../local/command-line.ts";

const USAGE = `npm run fault

It has no options; two variables are read:
  KILLS=N   how often workerd is killed (default 30)
  SEED=N    repeats the choices of an earlier run, which named its seed`;

optionsOrUsage(USAGE, {});
const kills = (process.env["KILLS"] ??= "30");
if (!/^[1-9]\d*$/.test(kills)) refuseWithUsage(USAGE, `'${kills}' is not a number of kills`);
const vitest = await startVitest("test", [], { project: ["fault"], watch: false, silent: false });
await vitest.close();
