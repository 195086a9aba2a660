/** The package as somebody gets it: what is in it, that its types hold, and that wrong options are said to be wrong. */
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { INSTALLED, PROJECT, run } from "./project.ts";

const SDK = path.resolve(import.meta.dirname, "../../sdk");

describe("the package", () => {
  it("holds its modules, their types and the README, and nothing else", () => {
    const [packed] = JSON.parse(run("npm", ["pack", "--dry-run", "--json", "--loglevel=error"], SDK)) as { files: { path: string }[] }[];
    const files = packed?.files.map((file) => file.path.replace(/chunk-[A-Z0-9]+\.js$/, "chunk.js")) ?? [];
    expect([...new Set(files)].toSorted()).toEqual([
      "README.md",
      "dist/authenticator.d.ts",
      "dist/chunk.js",
      "dist/configuration.d.ts",
      "dist/control-plane-authenticator.d.ts",
      "dist/demand.d.ts",
      "dist/express.d.ts",
      "dist/express.js",
      "dist/gateway-authenticator.d.ts",
      "dist/hono.d.ts",
      "dist/hono.js",
      "dist/index.d.ts",
      "dist/index.js",
      "dist/next.d.ts",
      "dist/next.js",
      "dist/principal.d.ts",
      "dist/refusal.d.ts",
      "package.json",
    ]);
  });

  it("needs jose and nothing else when it runs", () => {
    const manifest = JSON.parse(readFileSync(path.join(INSTALLED, "package.json"), "utf8")) as Record<string, object>;
    expect(Object.keys(manifest["dependencies"] ?? {})).toEqual(["jose"]);
    const names = ["index", "express", "next", "hono"].map((name) => path.join(INSTALLED, "dist", `${name}.js`));
    const imported = names.flatMap((file) => [...readFileSync(file, "utf8").matchAll(/from "([^."][^"]*)"/g)].map(([, name]) => name));
    expect(imported).toEqual(["jose"]);
  });

  it("has types that accept what is right and refuse what is not, for the compiler of somebody else", () => {
    run("tsc", ["-p", "tsconfig.packed.json"], PROJECT);
    run("tsc", ["-p", "tsconfig.packed.json", "--module", "esnext", "--moduleResolution", "bundler"], PROJECT);
  });
});

it("the README's examples compile", () => {
  const examples = [...readFileSync(path.join(INSTALLED, "README.md"), "utf8").matchAll(/```ts\n([^]*?)```/g)];
  // They import the first one, by whatever path.
  const files = examples.map(([, code = ""], at) => {
    const file = `readme-${at}.ts`;
    writeFileSync(path.join(PROJECT, file), code.replace(/"[./]+authenticator(?:\.js)?"/, '"./readme-0.ts"'));
    return file;
  });
  expect(files).toHaveLength(6);
  // Frameworks' own types are not all fit for a compiler that checks libraries.
  const configuration = { extends: "./tsconfig.packed.json", compilerOptions: { skipLibCheck: true }, files };
  writeFileSync(path.join(PROJECT, "tsconfig.readme.json"), JSON.stringify(configuration));
  run("tsc", ["-p", "tsconfig.readme.json"], PROJECT);
});

describe("options that cannot be right", async () => {
  const sdk = (await import(path.join(INSTALLED, "dist/index.js"))) as typeof import("../../sdk/index.ts");
  const { requirePermission } = (await import(path.join(INSTALLED, "dist/next.js"))) as typeof import("../../sdk/next.ts");
  const gateway = { gateway: "https://gateway.example.com", audience: "https://api.example.com" } as const;
  const asked = { controlPlane: "https://keys.example.com", apiKey: "pc_live_x" } as const;
  it.each<[string, () => unknown]>([
    ["a gateway without TLS", () => sdk.createGatewayAuthenticator({ ...gateway, gateway: "http://gateway.example.com" })],
    ["a host that begins as this machine", () => sdk.createGatewayAuthenticator({ ...gateway, gateway: "http://127.0.0.1.example.com" })],
    ["a gateway with a path", () => sdk.createGatewayAuthenticator({ ...gateway, gateway: "https://gateway.example.com/x" })],
    [
      "an audience that the gateway never writes",
      () => sdk.createGatewayAuthenticator({ ...gateway, audience: "https://api.example.com/" }),
    ],
    ["a clock that may be off by an hour", () => sdk.createGatewayAuthenticator({ ...gateway, clockToleranceS: 3_600 })],
    ["a control plane without TLS", () => sdk.createControlPlaneAuthenticator({ ...asked, controlPlane: "http://10.0.0.1" })],
    ["no platform key", () => sdk.createControlPlaneAuthenticator({ ...asked, apiKey: "" })],
    ["a residual window of a day", () => sdk.createControlPlaneAuthenticator({ ...asked, maxStalenessMs: 86_400_000 })],
    ["a permission with a quote", () => requirePermission('orders:read"')],
    ["a wildcard in the middle", () => requirePermission("orders:*:read")],
  ])("%s", (_, make) => {
    expect(make).toThrow(sdk.ConfigurationError);
  });
});
