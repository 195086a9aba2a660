/**
 * `npm run soak`: mixed traffic over several gateways for as long as is asked for, while keys, members, roles and routes change and everything
 * behind the gateways fails in turn. Exits with 1 for a wrong decision, an error that nothing explains, or a leak.
 */
import { optionsOrUsage, refuseWithUsage } from "../../local/command-line.ts";
import { reportOf } from "./report.ts";
import { faultsOf } from "./result.ts";
import { runSoak } from "./run.ts";
import { LONG } from "./settings.ts";

const USAGE = `npm run soak -- [options]

  --minutes N   how long (default 30), after some eight in which memory fills
  --rate N      requests a second, beside those that look at what has just changed (default 120)
  --seed N      the choices of an earlier run, which named its seed; what happens at the same moment is the machine's choice
  --gateway X   'shipped'; 'ttl60', which believes for a minute what it has read, or 'leaking': both must be found out`;

const given = optionsOrUsage(USAGE, {
  minutes: { type: "string", default: "30" },
  rate: { type: "string", default: "120" },
  seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 32)) },
  gateway: { type: "string", default: "shipped" },
});
const { gateway } = given;
if (gateway !== "shipped" && gateway !== "ttl60" && gateway !== "leaking") refuseWithUsage(USAGE, `'${gateway}' is no gateway`);
const [minutes, rate, seed] = [given.minutes, given.rate, given.seed].map((text) => {
  const number = Number(text);
  return text !== "" && Number.isFinite(number) && number >= 0 ? number : refuseWithUsage(USAGE, `'${text}' is not a number`);
}) as [number, number, number];
if (minutes > 600 || rate > 2_000) refuseWithUsage(USAGE, "At most 600 minutes, and 2,000 requests a second");

console.log(`soak: ${minutes} minutes, ${rate} requests a second, seed ${seed}`);
const started = Date.now();
const result = await runSoak({
  ...LONG,
  seconds: minutes * 60,
  requestsPerSecond: rate,
  seed,
  gateway,
  progress: (line) => console.log(`${String(Math.round((Date.now() - started) / 1_000)).padStart(5)} s  ${line}`),
});
console.log(`\n${reportOf(result)}`);
process.exitCode = faultsOf(result).length > 0 ? 1 : 0;
