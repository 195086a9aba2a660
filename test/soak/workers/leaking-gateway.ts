/**
 * The gateway with a leak, so that it is known that one would be found: it keeps something of every request with a credential. Not of those that keep it
 * awake while it is measured: on a slow machine they are many, and would fill the memory.
 */
import gateway from "./gateway.ts";

export { FaultSwitch } from "./fault-switch.ts";

const KEPT_NUMBERS = 40_000;
const kept: number[][] = [];

export default {
  fetch: (request, bindings, context) => {
    if (request.headers.has("Authorization")) kept.push(Array.from({ length: KEPT_NUMBERS }, (_, at) => at + kept.length + 0.5));
    return gateway.fetch(request, bindings, context);
  },
} satisfies ExportedHandler;
