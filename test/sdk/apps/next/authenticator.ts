/** Made once, and used by handlers and proxy alike. */
import { authenticatorOf, type Settings } from "../settings.ts";

export const authenticator = authenticatorOf(JSON.parse(process.env["SETTINGS"] ?? "") as Settings, process.env["ORIGIN"] ?? "");
