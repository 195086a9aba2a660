/** Next.js does not say it: the server in front of it does, in a header that it sets over whatever came. */
export function clientAddress(request: Request): string | undefined {
  return request.headers.get("x-forwarded-for") ?? undefined;
}
