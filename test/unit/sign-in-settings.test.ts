/** Settings of admins' sign-in and of widgets: wrong ones stop the start. */
import { describe, expect, test } from "vitest";
import { controlPlaneConfiguration } from "../../control-plane/configuration.ts";
import { ConfigurationError } from "../../core/configuration.ts";
import { makeSecrets } from "../../local/secrets.ts";

const WITHOUT = {
  ...makeSecrets().controlPlane,
  TOKEN_PREFIX: "pc",
  CELLS: "16",
  ACCEPTED_ENVIRONMENTS: "live,test",
};
const OIDC = {
  OIDC_ISSUER: "https://idp.example.com/realm",
  OIDC_AUDIENCE: "portcullis",
  OIDC_JWKS_URL: "https://idp.example.com/keys",
  OIDC_ROLE_CLAIM: "groups",
  OIDC_ROLES: '{"security": ["portcullis:*"], "support": ["portcullis:api_keys:read", "portcullis:users:*"]}',
};
const WITH = { ...WITHOUT, ...OIDC };

test("without any, nobody signs in, and no page has a widget", () => {
  const { identityProvider, widgets } = controlPlaneConfiguration(WITHOUT);
  expect(identityProvider).toBeNull();
  expect([...widgets.origins]).toEqual([]);
});

test("right settings are read", () => {
  const { identityProvider } = controlPlaneConfiguration(WITH);
  expect(identityProvider).toMatchObject({ issuer: OIDC.OIDC_ISSUER, algorithms: ["RS256", "ES256"], clockToleranceSeconds: 30 });
  expect(identityProvider?.permissionsByRole.get("support")).toEqual(["portcullis:api_keys:read", "portcullis:users:*"]);
  const { widgets } = controlPlaneConfiguration({ ...WITH, WIDGET_ORIGINS: "https://app.example.com,http://localhost:3000" });
  expect([...widgets.origins]).toEqual(["https://app.example.com", "http://localhost:3000"]);
});

test.each(Object.keys(OIDC))("%s is missed beside the others", (name) => {
  const settings: Record<string, string> = { ...WITH };
  delete settings[name];
  expect(() => controlPlaneConfiguration(settings)).toThrow(new RegExp(`^Wrong configuration\\. ${name}: is required`));
});

describe("a wrong setting is refused by name", () => {
  test.each([
    ["OIDC_ISSUER", ["", "idp.example.com", "http://idp.example.com", "https://idp.example.com?x", "https://idp.example.com#x", "ftp://x"]],
    ["OIDC_JWKS_URL", ["", "http://idp.example.com/keys", "file:///keys"]],
    ["OIDC_AUDIENCE", ["", "x".repeat(256)]],
    ["OIDC_ALGORITHMS", ["", "none", "HS256", "RS256,HS512", "RS256, ES256", "rs256", "RS1"]],
    ["OIDC_CLOCK_TOLERANCE_SECONDS", ["", "-1", "301", "1.5", "1e2", "soon"]],
    ["OIDC_ROLE_CLAIM", [""]],
    [
      "OIDC_ROLES",
      [
        "",
        "security",
        "[]",
        "null",
        '"security"',
        '{"security": "portcullis:*"}',
        '{"security": []}',
        '{"": ["portcullis:*"]}',
        '{"security": ["*"]}',
        '{"security": ["orders:read"]}',
        '{"security": ["portcullis:no_such:read"]}',
        '{"security": ["portcullis:api_keys:rea"]}',
      ],
    ],
    [
      "WIDGET_ORIGINS",
      [
        "*",
        "null",
        "app.example.com",
        "http://app.example.com",
        "https://app.example.com/",
        "https://app.example.com/x",
        "https://*.example.com",
      ],
    ],
    ["WIDGET_TOKEN_KEY", ["", "short", `${"A".repeat(43)}=`]],
  ] as const)("%s", (name, values) => {
    for (const value of values) {
      const read = () => controlPlaneConfiguration({ ...WITH, [name]: value });
      expect(read, JSON.stringify(value)).toThrow(ConfigurationError);
      expect(read).toThrow(new RegExp(`^Wrong configuration\\. ${name}: `));
    }
  });
});
