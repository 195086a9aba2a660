/** `npm run fault`: the fault tests in full, 30 kills unless KILLS says otherwise. In TypeScript, because not every shell can set a variable for one command. */
import { startVitest } from "vitest/node";

process.env["KILLS"] ??= "30";
const vitest = await startVitest("test", [], { project: ["fault"], watch: false, silent: false });
await vitest.close();
