/// <reference lib="dom" />
/** The WorkOS React widget for API keys, as customers put it on their settings page, against a running system: seen and clicked. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { startTestSystem, type TestSystem } from "../system.ts";
import { becomePage, type Page } from "./page.ts";
import { sdk } from "./workos-client.ts";

const ORIGIN = "https://app.example.com";
const MANAGE = "widgets:api-keys:manage";
const MANAGE_SELF = "widgets:user-api-keys:manage-self";
const NO_KEYS = { user_api_keys: false, organization_api_keys: false };

let system: TestSystem;
/** Of the admin, who may manage the organization's keys and their own, and of the member, who may manage none. */
let tokens: Readonly<Record<"admin" | "member", string>>;
let page: Page;
let browser: Awaited<ReturnType<typeof loadBrowser>>;
beforeAll(async () => {
  system = await startTestSystem({ settings: { WIDGET_ORIGINS: ORIGIN } });
  for (const slug of [MANAGE, MANAGE_SELF]) await must("POST", "/authorization/permissions", { slug, name: slug, enabled_for: NO_KEYS });
  await must("PUT", "/authorization/roles/admin/permissions", { permissions: ["orders:read", "invoices:read", MANAGE, MANAGE_SELF] });
  tokens = { admin: await tokenFor("admin"), member: await tokenFor("member") };
  page = becomePage(ORIGIN);
  browser = await loadBrowser();
});
afterEach(async () => {
  browser.testing.cleanup();
  await page.idle();
});
afterAll(() => system[Symbol.asyncDispose]());

/** Only when there is a page: React and the tools look for one as they are loaded. */
async function loadBrowser() {
  const [react, testing, { userEvent }, widgets, query] = await Promise.all([
    import("react"),
    import("@testing-library/react"),
    import("@testing-library/user-event"),
    import("@workos-inc/widgets"),
    import("@tanstack/react-query"),
  ]);
  // A failure says what is missing, without the page: there are secrets on it.
  testing.configure({ asyncUtilTimeout: 20_000, getElementError: (message) => new Error(message?.split("\n")[0]) });
  return { react, testing, screen: testing.screen, user: userEvent.setup(), widgets, query };
}

/** A call of the operator's server. */
async function must(method: string, path: string, body: unknown, send = fetch): Promise<void> {
  const headers = { Authorization: `Bearer ${system.adminKey}`, "Content-Type": "application/json" };
  const response = await send(new URL(path, system.controlPlane), { method, headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
}

/** What the operator's server does before it sends the page: it asks for a token with the SDK. */
async function tokenFor(role: string): Promise<string> {
  const userId = system.users.find((user) => user.role === role)?.id ?? "";
  return (await sdk(system.controlPlane, system.adminKey).widgets.createToken({ organizationId: system.organizationId, userId })).token;
}

const adminId = () => system.users.find((user) => user.role === "admin")?.id ?? "";

function show(scope: "organization" | "user", authToken: string | (() => Promise<string>)): void {
  const { react, testing, widgets, query } = browser;
  const { hostname, port } = system.controlPlane;
  const children = react.createElement(widgets.ApiKeys, { authToken, scope });
  // What one page has cached is nothing to the next.
  const queryClient = new query.QueryClient();
  const place = { apiHostname: hostname, port: Number(port), https: false, queryClient };
  const widget = react.createElement(widgets.WorkOsWidgets, { ...place, children });
  testing.render(react.createElement(query.QueryClientProvider, { client: queryClient, children: widget }));
}

const click = async (role: string, name: string) => browser.user.click(await browser.screen.findByRole(role, { name }));
/** Those behind an open dialog, too, which hides them from assistive technology, and so from `getByRole`. */
const rows = () => browser.screen.queryAllByRole("row", { hidden: true });
const rowNames = () => rows().flatMap((row) => /^(.*?)pc_live/.exec(row.textContent ?? "")?.[1] ?? []);
/** The tables' fourth column. */
const expiries = () => rows().flatMap((row) => row.querySelectorAll("td")[3]?.textContent ?? []);
const see = (what: readonly string[]) => browser.testing.waitFor(() => expect(rowNames()).toEqual(what));
const statusAtGateway = async (key: string) =>
  (await page.outside(new URL("/orders", system.gateway), { headers: { Authorization: `Bearer ${key}` } })).status;

describe.each(["organization", "user"] as const)("the widget with scope=%s", (scope) => {
  it("makes a key that works at once, gives it an end, and revokes it so that it is dead", async () => {
    const { screen, testing, user } = browser;
    const before = page.requests.length;
    show(scope, tokens.admin);
    await click("button", "Create API key");
    const form = testing.within(await screen.findByRole("dialog", { name: "Create API key" }));
    await user.type(form.getByRole("textbox", { name: "Name" }), "Nightly report");
    expect((await form.findAllByRole("checkbox")).map((box) => box.id)).toEqual(["invoices:read", "orders:read"]);
    await user.click(form.getByRole("checkbox", { name: "orders:read" }));
    await user.click(form.getByRole("button", { name: "Create API key" }));
    const value = (await screen.findByDisplayValue<HTMLInputElement>(/^pc_live_/)).value;
    expect(await statusAtGateway(value)).toBe(200);
    await click("button", "Copy and close");
    await see(["Nightly report"]);
    expect(expiries()).toEqual(["Never"]);

    await click("button", "API key actions");
    await click("menuitem", "Edit expiration");
    const dialog = testing.within(await screen.findByRole("dialog", { name: "Edit secret key expiration" }));
    await user.click(dialog.getByRole("combobox"));
    await click("option", "in 1 hour");
    await user.click(dialog.getByRole("button", { name: "Save changes" }));
    await testing.waitFor(() => expect(expiries()).toEqual([expect.not.stringMatching(/^Never$/)]));

    await click("button", "API key actions");
    await click("menuitem", "Revoke key");
    await click("button", "Revoke key");
    await see([]);
    expect(await statusAtGateway(value)).toBe(401);
    expect(new Set(page.requests.slice(before).map(({ status }) => status))).toEqual(new Set([200, 201]));
  });

  it("walks over pages, and searches", async () => {
    const { screen, user } = browser;
    const keysOf = scope === "organization" ? `/organizations/${system.organizationId}` : `/user_management/users/${adminId()}`;
    const twelve = Array.from({ length: 12 }, (_, at) => `Key ${String.fromCodePoint(65 + at)}`);
    for (const name of twelve) await must("POST", `${keysOf}/api_keys`, { name, organization_id: system.organizationId }, page.outside);
    const newestFirst = twelve.toReversed();
    show(scope, tokens.admin);
    await see(newestFirst.slice(0, 10));
    await click("button", "Next");
    await see(newestFirst.slice(10));
    await click("button", "Previous");
    await see(newestFirst.slice(0, 10));
    await user.type(screen.getByPlaceholderText("Search by name"), "key c");
    await see(["Key C"]);
  });

  it("gets another token when its own is refused", async () => {
    const before = page.requests.length;
    const statuses = () => page.requests.slice(before).map(({ status }) => status);
    const given = [`${tokens.admin.slice(0, -8)}AAAAAAAA`];
    show(scope, async () => given.shift() ?? tokens.admin);
    await browser.testing.waitFor(() => expect(new Set(statuses())).toEqual(new Set([403, 200])));
    expect(await browser.screen.findByPlaceholderText("Search by name")).toBeTruthy();
  });

  it("shows nothing to a member whose role does not allow it", async () => {
    const before = page.requests.length;
    const told = vi.spyOn(console, "error").mockImplementation(() => undefined);
    show(scope, tokens.member);
    await browser.screen.findByText("Incorrect permissions");
    told.mockRestore();
    expect(rowNames()).toEqual([]);
    expect(page.requests.slice(before).filter(({ status }) => status !== 403)).toEqual([]);
  });
});
