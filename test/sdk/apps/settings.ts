/** How the apps of these tests find out who is calling. */
import {
  createControlPlaneAuthenticator,
  createGatewayAuthenticator,
  type Authenticator,
  type ControlPlaneOptions,
  type GatewayOptions,
} from "@portcullis/sdk";

/** Settings that can be handed to another process as JSON. */
export type Settings =
  | { readonly behind: "gateway"; readonly options: Pick<GatewayOptions, "clockToleranceS"> & { readonly gateway: string } }
  | {
      readonly behind: "nothing";
      readonly options: Pick<ControlPlaneOptions, "apiKey" | "timeoutMs" | "maxStalenessMs"> & { readonly controlPlane: string };
    };

/** An app that listens. */
export interface RunningApp {
  readonly origin: string;
  stop(): Promise<void>;
}

/** The authenticator of the app at an origin. */
export function authenticatorOf(settings: Settings, origin: string): Authenticator {
  return settings.behind === "gateway"
    ? createGatewayAuthenticator({ ...settings.options, audience: origin })
    : createControlPlaneAuthenticator(settings.options);
}
