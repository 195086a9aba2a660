/** `npm run deploy:check`: whether all Workers could be deployed as they are. Needs no account and no network. */
import path from "node:path";
import { optionsOrUsage } from "./command-line.ts";
import { deployFaults } from "./deploy-faults.ts";

optionsOrUsage(
  "npm run deploy:check\n\nBuilds every Worker as it would be deployed, and checks that they fit together. Sends nothing to anybody. It has no options.",
  {},
);
const at = (file: string) => path.resolve(import.meta.dirname, "..", file);
const faults = await deployFaults({
  gateway: at("wrangler.toml"),
  controlPlane: at("control-plane/wrangler.toml"),
  exampleApi: at("example-api/wrangler.toml"),
});
for (const fault of faults) console.error(fault);
if (faults.length === 0) console.log("The gateway, the control plane and the example API can be deployed.");
else process.exitCode = 1;
