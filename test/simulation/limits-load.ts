/** `npm run limits:load`: 20 isolates' worth of traffic against one key for 60 s; what was admitted against the limit, and what it cost. */
import { runLimitLoad } from "./limit-load.ts";
import { LIMIT_LOADS } from "./limit-loads.ts";

let isBroken = false;
for (const [name, load] of Object.entries(LIMIT_LOADS)) {
  const { requests, admitted, worstWindow, leastWindow, questions } = runLimitLoad(load);
  const { limit, windowMs } = load.terms;
  const perThousand = ((questions / requests) * 1_000).toFixed(1);
  isBroken ||= worstWindow > limit;
  console.log(
    `${name}: ${load.isolates} isolates, ${requests} requests in ${load.seconds} s, ${admitted} admitted; at most ${worstWindow} of ${limit} in any ` +
      `${windowMs / 1_000} s${Number.isFinite(leastWindow) ? `, at least ${leastWindow}` : ""}; ${questions} questions, ${perThousand} per 1,000 requests`,
  );
}
if (isBroken) {
  console.error("more was admitted than the limit");
  process.exitCode = 1;
}
