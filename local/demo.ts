/** `npm run demo`: plays the transcript against a running system and says whether each answer was the expected one. */
import { optionsOrUsage } from "./command-line.ts";
import { readInstallation, type Installation } from "./installation.ts";

interface Step {
  readonly says: string;
  readonly method: string;
  readonly url: string;
  readonly token: string;
  readonly body?: unknown;
  readonly expects: number;
}

async function play(step: Step): Promise<Record<string, unknown>> {
  const startedAtMs = performance.now();
  const headers = { Authorization: `Bearer ${step.token}`, ...(step.body !== undefined && { "Content-Type": "application/json" }) };
  const response = await fetch(step.url, {
    method: step.method,
    headers,
    ...(step.body !== undefined && { body: JSON.stringify(step.body) }),
  });
  const text = await response.text();
  const ms = (performance.now() - startedAtMs).toFixed(1);
  console.log(`\n${step.says}\n  ${step.method} ${step.url}\n  ${response.status} in ${ms} ms  ${shown(text)}`);
  if (response.status !== step.expects) throw new Error(`Expected ${step.expects}, got ${response.status}.`);
  return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
}

/** The body without the key it may hold. */
function shown(text: string): string {
  return text.replaceAll(/\b([a-z0-9]+_(?:live|test)_)[0-9A-Za-z]{56,}(?=[0-9A-Za-z]{4}\b)/g, "$1...");
}

async function demo({ gateway, controlPlane, organizationId, adminKey }: Installation): Promise<void> {
  const keys = `${controlPlane}organizations/${organizationId}/api_keys`;
  const created = await play({
    says: "1. Create a key that may read orders",
    method: "POST",
    url: keys,
    token: adminKey,
    body: { name: "Demo", permissions: ["orders:read"] },
    expects: 201,
  });
  const token = String(created["value"]);
  await play({
    says: "2. Call the API through the gateway: accepted at once",
    method: "GET",
    url: `${gateway}orders`,
    token,
    expects: 200,
  });
  await play({
    says: "3. A route that needs another permission: refused, naming it",
    method: "GET",
    url: `${gateway}invoices`,
    token,
    expects: 403,
  });
  await play({
    says: "4. Revoke the key",
    method: "DELETE",
    url: `${controlPlane}api_keys/${String(created["id"])}`,
    token: adminKey,
    expects: 204,
  });
  await play({ says: "5. The very next request: refused", method: "GET", url: `${gateway}orders`, token, expects: 401 });
  console.log("\nAll answers were as expected.");
}

optionsOrUsage("npm run demo\n\nPlays the transcript of npm start against the system it runs. It has no options.", {});
const installation = readInstallation();
if (!installation) {
  console.error("There is no running system yet. Start one in another terminal: npm start");
  process.exit(1);
}
try {
  await demo(installation);
} catch (error) {
  const unreachable = error instanceof TypeError;
  console.error(
    unreachable
      ? `Nothing answers at ${installation.gateway}. Start the system in another terminal: npm start`
      : `\n${error instanceof Error ? error.message : String(error)}`,
  );
  process.exit(1);
}
