/** What tests that walk every endpoint share: a request for each, made from its declaration. */
import type { Endpoint } from "../../control-plane/http/endpoint.ts";
import { PATH_PARAMETERS, parameterNames, type ParameterName } from "../../control-plane/http/path-parameters.ts";

/** The path with each parameter at a value; where none is given, well formed and naming nothing there is. */
export function pathOf({ path }: Endpoint, values: Partial<Record<ParameterName, string>> = {}): string {
  return parameterNames(path).reduce(
    (filled, name) => filled.replace(`:${name}`, encodeURIComponent(values[name] ?? PATH_PARAMETERS[name].example)),
    path,
  );
}

/** `POST /api_keys/:api_key_id/expire`. */
export function nameOf({ method, path }: Endpoint): string {
  return `${method} ${path}`;
}
