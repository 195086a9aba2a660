/** The operator's identity provider, outside of everything of ours: it signs tokens, publishes its keys, and may fail to. */
import { env } from "cloudflare:workers";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { controlPlaneApp } from "../../control-plane/app.ts";
import { webhookAccess } from "../../control-plane/webhooks/access.ts";
import { Cells } from "../../control-plane/cells.ts";
import { controlPlaneConfiguration } from "../../control-plane/configuration.ts";
import { UsageStores } from "../../control-plane/usage/access.ts";
import { PlatformKeyUses } from "../../control-plane/http/platform-key-uses.ts";
import { limitsOf } from "../../control-plane/http/rate-limit.ts";
import { IdentityProvider } from "../../control-plane/sign-in/identity-provider.ts";
import { keepSecret } from "./control-plane-client.ts";
import type { Answer, Json } from "./installation.ts";

/** What the control plane is told about it. */
export const ISSUER = "https://idp.example.com/realm";
export const AUDIENCE = "portcullis";
export const ROLES = {
  security: ["portcullis:*"],
  support: ["portcullis:organizations:read", "portcullis:api_keys:read"],
  keys: ["portcullis:api_keys:write", "portcullis:api_keys:read"],
} as const;
const SETTINGS = {
  OIDC_ISSUER: ISSUER,
  OIDC_AUDIENCE: AUDIENCE,
  OIDC_JWKS_URL: "https://idp.example.com/realm/keys",
  OIDC_ALGORITHMS: "RS256,ES256",
  OIDC_ROLE_CLAIM: "groups",
  OIDC_ROLES: JSON.stringify(ROLES),
};

/** What a token is made with; what is left out is right. */
export interface Made {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly key?: CryptoKey | Uint8Array;
}

/** One of its key pairs. */
interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly jwk: Json;
}

/** The provider, and what it was asked. */
export class FakeIdentityProvider {
  /** How it answers when its keys are asked for. */
  answer: (signal: AbortSignal) => Promise<Response> = async () => Response.json({ keys: this.published.map(({ jwk }) => jwk) });
  asked = 0;
  published: SigningKey[] = [];

  /** Makes a key pair and publishes it. */
  async newKey(kid: string, alg = "ES256"): Promise<SigningKey> {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const key = { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
    this.published.push(key);
    return key;
  }

  /** A token of a member of a group, signed with the first key. */
  async token(groups: unknown, { claims = {}, header = {}, key }: Made = {}): Promise<string> {
    const [first] = this.published;
    if (!first) throw new Error("has no key");
    const now = Math.floor(Date.now() / 1000);
    const whole = { iss: ISSUER, aud: AUDIENCE, sub: "ada", iat: now, exp: now + 300, groups, ...claims };
    const token = await new SignJWT(whole)
      .setProtectedHeader({ alg: "ES256", kid: first.kid, typ: "JWT", ...header })
      .sign(key ?? first.privateKey, { crit: { urgent: false } });
    keepSecret(token);
    return token;
  }

  /** The control plane of the test Worker's ledgers, told to believe this provider; an isolate of its own. */
  controlPlane(settings: Readonly<Record<string, string>> = {}): ControlPlane {
    const configuration = controlPlaneConfiguration({ ...env, ...SETTINGS, ...settings });
    const clock = { aheadMs: 0 };
    const now = () => Date.now() + clock.aheadMs;
    const fetch = async (url: string, { signal }: RequestInit) => {
      if (url !== SETTINGS.OIDC_JWKS_URL || !signal) throw new Error("not asked for its keys, or without an end");
      this.asked += 1;
      return this.answer(signal);
    };
    const cells = new Cells(env.LEDGER, configuration.cells);
    const app = controlPlaneApp({
      configuration,
      cells,
      identityProvider:
        configuration.identityProvider &&
        new IdentityProvider(configuration.identityProvider, { fetch, now, wait: (ms) => scheduler.wait(ms) }),
      now,
      webhooks: webhookAccess(env.WEBHOOK_DISPATCHER, configuration.webhooks),
      limits: limitsOf(configuration, now),
      platformKeyUses: new PlatformKeyUses({ cells, now: now, waitUntil: () => {} }),
      usage: new UsageStores(env.USAGE_STORE),
      randomBytes: (target) => crypto.getRandomValues(target),
    });
    return { clock, fetch: async (request) => app(request) };
  }
}

/** A control plane, and how far its clock is ahead. */
export interface ControlPlane {
  readonly clock: { aheadMs: number };
  readonly fetch: (request: Request) => Promise<Response>;
}

/** One request with an Authorization header as given. */
export async function callWith(
  { fetch }: ControlPlane,
  authorization: string,
  method: string,
  path: string,
  json?: unknown,
): Promise<Answer> {
  const response = await fetch(
    new Request(`https://control.example${path}`, {
      method,
      headers: { Authorization: authorization, "Content-Type": "application/json" },
      ...(json !== undefined && { body: JSON.stringify(json) }),
    }),
  );
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? {} : (JSON.parse(text) as Json) };
}
