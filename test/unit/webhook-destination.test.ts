/** Where webhooks may be sent: a table of ways round the rule, each through the URL parser that the connection goes through. */
import { describe, expect, it, vi } from "vitest";
import { Destinations } from "../../control-plane/webhooks/destinations.ts";
import { isPublicAddress } from "../../core/webhook/address.ts";
import { faultOfDestination } from "../../core/webhook/destination.ts";

const faultOf = (text: string, loopbackToo = false) => faultOfDestination(new URL(text), loopbackToo);

describe("a destination", () => {
  it.each([
    "https://example.com/",
    "https://hooks.example.co.uk:8443/a/b?token=c",
    "https://example.com:443/",
    "https://xn--bcher-kva.example/",
    "https://10.example.com/",
    "https://local.example.com/",
    "https://internal-hooks.example.com/",
  ])("may be %s", (text) => expect(faultOf(text)).toBeUndefined());

  it.each([
    // Not https
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "data:text/plain,x",
    "javascript:alert(1)",
    // This machine, in every spelling
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://a.localhost/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.0.1./",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://0/",
    "https://0.0.0.0/",
    "https://%31%32%37.0.0.1/",
    "https://１２７.０.０.１/",
    "https://①②⑦.⓪.⓪.①/",
    "https://127。0。0。1/",
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    // Inside networks
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://3232235777/",
    "https://100.64.0.1/",
    "https://[fc00::1]/",
    "https://[fd12:3456:789a::1]/",
    "https://[fe80::1]/",
    "https://[fec0::1]/",
    // Metadata services
    "https://169.254.169.254/latest/meta-data/",
    "https://0xa9fea9fe/",
    "https://2852039166/",
    "https://0251.0376.0251.0376/",
    "https://[::ffff:169.254.169.254]/",
    "https://[fd00:ec2::254]/",
    "https://100.100.100.200/",
    "https://168.63.129.16/",
    "https://metadata.google.internal/",
    "https://METADATA.GOOGLE.INTERNAL./",
    "https://metadata/",
    // Public addresses, too: a name says who is meant
    "https://93.184.216.34/",
    "https://[2606:2800:220:1:248:1893:25c8:1946]/",
    // Names that only mean something inside
    "https://printer.local/",
    "https://api.corp/",
    "https://db.intranet/",
    "https://nas.home.arpa/",
    "https://router.lan/",
    "https://intranet/",
    "https://x.onion/",
    "https://1.0.0.127.in-addr.arpa/",
    // Names with labels of nothing: some resolvers make the name without them of that
    "https://localhost../",
    "https://127.0.0.1../",
    "https://metadata.google.internal../",
    "https://metadata..google.internal%2e%2e/",
    "https://.example.com/",
    "https://example..com/",
    "https://kubernetes.default.svc/",
    // Names and passwords, ports
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://example.com@127.0.0.1/",
    "https://example.com:22/",
    "https://example.com:80/",
    "https://example.com:6379/",
    "https://example.com:8080/",
  ])("must not be %s", (text) => expect(faultOf(text)).toMatch(/^must /));

  it("may be this machine in development, over http and at any port, but nothing else may", () => {
    for (const text of ["http://localhost:3000/", "http://127.0.0.1:9/", "https://[::1]:3000/", "http://127.8.9.10/"])
      expect(faultOf(text, true)).toBeUndefined();
    for (const text of [
      "http://example.com/",
      "http://10.0.0.1/",
      "http://169.254.169.254/",
      "http://a.localhost/",
      "http://u:p@localhost/",
    ])
      expect(faultOf(text, true)).toMatch(/^must /);
  });
});

describe("an address", () => {
  it.each(["93.184.216.34", "1.1.1.1", "172.15.255.255", "172.32.0.0", "192.169.0.0", "100.63.255.255", "100.128.0.0", "223.255.255.255"])(
    "%s is public",
    (address) => expect(isPublicAddress(address)).toBe(true),
  );
  it.each(["2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "2001:4860:4860::8888"])("%s is public", (address) =>
    expect(isPublicAddress(address)).toBe(true),
  );
  const NOT_PUBLIC = `
    0.0.0.0 0.1.2.3 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 169.254.169.254 172.16.0.0
    172.31.255.255 192.0.0.170 192.0.2.1 192.88.99.1 192.168.0.0 198.18.0.1 198.19.255.255 198.51.100.1
    203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255 168.63.129.16 :: ::1 ::ffff:8.8.8.8 ::ffff:808:808 ::8.8.8.8
    64:ff9b::808:808 100::1 fc00::1 fd00::1 fe80::1 fec0::1 ff02::1 2001::1 2001:db8::1 2001:10::1 2002:7f00:1::
    3fff::1 4000::1 1fff::1 localhost 1.2.3 1.2.3.4.5 01.2.3.4 256.1.1.1 2606:4700 2606:::1 2606::1::2
    2606:4700:4700::1111%eth0`;
  it.each(["", "1.1.1.1 ", ...NOT_PUBLIC.trim().split(/\s+/)])("'%s' is not", (address) => expect(isPublicAddress(address)).toBe(false));
});

describe("a host that is looked up", () => {
  const RESOLVER = new URL("https://resolver.example/dns-query");
  const records: Record<string, readonly { type: number; data: string }[]> = {
    "public.example.com A": [
      { type: 5, data: "elsewhere.example.com." },
      { type: 1, data: "93.184.216.34" },
    ],
    "public.example.com AAAA": [{ type: 28, data: "2606:2800:220:1:248:1893:25c8:1946" }],
    "inside.example.com A": [{ type: 1, data: "10.0.0.7" }],
    "half.example.com A": [
      { type: 1, data: "93.184.216.34" },
      { type: 1, data: "169.254.169.254" },
    ],
    "sixth.example.com A": [{ type: 1, data: "93.184.216.34" }],
    "sixth.example.com AAAA": [{ type: 28, data: "::ffff:10.0.0.7" }],
  };
  const asked: string[] = [];
  const destinations = new Destinations({
    loopbackToo: true,
    resolver: RESOLVER,
    fetch: async (text) => {
      const url = new URL(text);
      const question = `${url.searchParams.get("name")} ${url.searchParams.get("type")}`;
      asked.push(question);
      if (question.startsWith("broken")) return new Response("no", { status: 502 });
      return Response.json({ Status: 0, Answer: records[question] });
    },
  });

  it.each([
    ["public.example.com", undefined],
    ["inside.example.com", /inside a network/],
    ["half.example.com", /inside a network/],
    ["sixth.example.com", /inside a network/],
    ["nowhere.example.com", /has an address/],
    ["broken.example.com", /could not be looked up/],
  ])("%s", async (host, fault) => {
    const found = await destinations.faultOf(`https://${host}/hook`);
    if (fault === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(fault);
  });

  it("is not waited for when the resolver begins an answer and never ends it, nor read without end", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    let sent = 0;
    const answering = (body: UnderlyingDefaultSource<Uint8Array>) =>
      new Destinations({ loopbackToo: false, resolver: RESOLVER, fetch: async () => new Response(new ReadableStream(body)) }).faultOf(
        "https://example.com/",
      );
    const stalled = answering({ start: (controller) => controller.enqueue(new TextEncoder().encode('{"Answer":')) });
    await vi.advanceTimersByTimeAsync(10_000);
    vi.useRealTimers();
    expect(await stalled).toMatch(/could not be looked up/);
    const endless = answering({
      pull: (controller) => {
        sent += 1;
        if (sent > 100) controller.close();
        else controller.enqueue(new TextEncoder().encode(" ".repeat(64 * 1024)));
      },
    });
    expect(await endless).toMatch(/could not be looked up/);
    expect(sent).toBeLessThan(50);
  });

  it("is not asked about when the URL is wrong already, nor for this machine in development", async () => {
    asked.length = 0;
    expect(await destinations.faultOf("https://10.0.0.1/")).toMatch(/address/);
    expect(await destinations.faultOf("nonsense")).toMatch(/absolute URL/);
    expect(await destinations.faultOf("http://localhost:3000/")).toBeUndefined();
    expect(asked).toEqual([]);
  });
});
