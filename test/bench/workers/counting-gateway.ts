/** The gateway as shipped, over ports that count. Each answer tells how many calls there were so far. */
import { env } from "cloudflare:workers";
import { gatewayConfiguration } from "../../../worker/configuration.ts";
import { createGateway } from "../../../worker/gateway.ts";
import { platformPorts } from "../../../worker/platform-ports.ts";
import type { GatewayPorts } from "../../../worker/ports.ts";

const calls = { kv: 0, ledger: 0 };
const gateway = createGateway(gatewayConfiguration(env), counted(platformPorts(env)));

export default {
  fetch: async (request, _bindings, context) => {
    const answer = await gateway.fetch(request, context);
    const response = new Response(answer.body, answer);
    response.headers.set("Bench-Kv-Calls", String(calls.kv));
    response.headers.set("Bench-Ledger-Calls", String(calls.ledger));
    return response;
  },
} satisfies ExportedHandler;

function counted(ports: GatewayPorts): GatewayPorts {
  const { ledger } = ports;
  const count = <Input extends unknown[], Answer>(kind: keyof typeof calls, call: (...input: Input) => Answer) => {
    return (...input: Input): Answer => {
      calls[kind] += 1;
      return call(...input);
    };
  };
  return {
    ...ports,
    readKv: count("kv", ports.readKv),
    ledger: {
      sync: count("ledger", (replica, request) => ledger.sync(replica, request)),
      probe: count("ledger", (replica, cells) => ledger.probe(replica, cells)),
      resolve: count("ledger", (request) => ledger.resolve(request)),
      locate: count("ledger", (request) => ledger.locate(request)),
      resolveRoutes: count("ledger", (request) => ledger.resolveRoutes(request)),
    },
  };
}
