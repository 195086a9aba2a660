/** The table is replaced again and again: a route asks for another permission, one comes and goes. */
import type { Random } from "../random.ts";
import type { ControlPlaneCalls } from "./control-plane-calls.ts";
import { publishedRoutes, SOMETIMES, STEADY_ROUTES, TOGGLED } from "./routes.ts";
import { Timeline } from "./timeline.ts";
import type { Key, SoakRoute, World } from "./world.ts";

interface Surroundings {
  readonly world: World;
  readonly calls: ControlPlaneCalls;
  readonly random: Random;
  readonly probe: (key: Key) => void;
  readonly upstreams: { readonly main: string; readonly spare: string };
}

/** Who publishes tables. */
export class RouteChanges {
  readonly #surroundings: Surroundings;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
    const { routes } = surroundings.world;
    for (const [path, route] of Object.entries(STEADY_ROUTES)) routes.set(path, new Timeline<SoakRoute | null>(route));
    routes.set(TOGGLED, new Timeline<SoakRoute | null>({ permission: "orders:read" }));
    routes.set(SOMETIMES, new Timeline<SoakRoute | null>(null));
  }

  /** Puts in force what the world says. */
  async publish(): Promise<void> {
    const { world, calls, upstreams } = this.#surroundings;
    const routes = [...world.routes].map(([path, { latest }]) => [path, latest] as const);
    await calls.change("PUT", "/routes", { routes: publishedRoutes(routes, upstreams.main, upstreams.spare) });
  }

  /** Changes one route. */
  async act(): Promise<void> {
    const { world, random, probe } = this.#surroundings;
    const path = random.pick([TOGGLED, SOMETIMES]) ?? TOGGLED;
    const route = world.routes.get(path);
    if (!route) return;
    const asked = route.ask(changed(path, route.latest), Date.now());
    await this.publish();
    asked.done(Date.now());
    for (const key of world.live.slice(-3)) probe(key);
  }
}

function changed(path: string, route: SoakRoute | null): SoakRoute | null {
  if (path === SOMETIMES) return route ? null : { permission: "orders:read" };
  return { permission: route?.permission === "orders:read" ? "orders:write" : "orders:read" };
}
