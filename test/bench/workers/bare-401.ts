/** The cheapest possible refusal: 401 at once, with the headers and the body of a refusal of the gateway. */
interface Bindings {
  readonly BODY: string;
  readonly HEADERS: Readonly<Record<string, string>>;
}

export default {
  fetch: (_request, { BODY, HEADERS }) => new Response(BODY, { status: 401, headers: HEADERS }),
} satisfies ExportedHandler<Bindings>;
