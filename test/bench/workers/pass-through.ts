/** What "no gateway" means in the benchmark: a Worker that passes the request on and the response back, and does nothing else. */
interface Bindings {
  readonly UPSTREAM: string;
}

export default {
  fetch: (request, { UPSTREAM }) => {
    const { pathname, search } = new URL(request.url);
    return fetch(new Request(UPSTREAM + pathname + search, request));
  },
} satisfies ExportedHandler<Bindings>;
