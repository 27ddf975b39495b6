/** Listeners of a gateway that share a port, over a network in memory. */
import { describe, expect, test } from "bun:test";
import type { GatewayListener } from "../../../src/model/gateway.ts";
import { limits } from "../../../src/model/limits.ts";
import { at, GatewayScene } from "../../support/gateway_scene.ts";

describe("listeners of https that share a port", () => {
  async function scene() {
    const it = await GatewayScene.start();
    const [shop, below, rest] = [
      await it.certify("shop", "shop.example"),
      await it.certify("below", "*.shop.example"),
      await it.certify("rest", "*.example"),
    ];
    const one = (name: string, certificate: typeof shop, hostname?: string): GatewayListener => ({
      ...{ ...at, name, port: 443, protocol: "https", certificates: [certificate] },
      ...(hostname === undefined ? {} : { hostname }),
    });
    return {
      it,
      shop: one("shop", shop, "shop.example"),
      below: one("below", below, "*.shop.example"),
      rest: one("rest", rest),
    };
  }

  test("are told apart by the server name that a client asks for", async () => {
    const { it, shop, below, rest } = await scene();
    it.apply(rest, below, shop);
    for (const [host, name] of [
      ["shop.example", "shop"],
      ["a.shop.example", "below"],
      ["news.example", "rest"],
    ] as const)
      expect([host, await it.ask({ port: 443, tls: host }, host)]).toEqual([host, `200 ${name}`]);
  });

  test("refuse a client whose server name none of them has, and one that asks for none", async () => {
    const { it, shop, below } = await scene();
    it.apply(below, shop);
    expect(await it.ask({ port: 443, tls: "news.example" }, "shop.example")).toBe("refused");
    expect(await it.ask({ port: 443, tls: "" }, "shop.example")).toBe("refused");
  });

  test("answer 421 to a request for the host of another, 404 to one for nobody's, and go on", async () => {
    const { it, shop, below } = await scene();
    it.apply(below, shop);
    const client = await it.open({ port: 443, tls: "shop.example" });
    if (client === null) throw new Error("refused");
    expect(await client.ask("shop.example")).toBe("200 shop");
    expect(await client.ask("a.shop.example")).toBe("421");
    expect(await client.ask("news.example")).toBe("404");
    expect(await client.ask("shop.example:443")).toBe("200 shop");
  });

  test("keep the connections that they have when another comes or goes, and the port", async () => {
    const { it, shop, below, rest } = await scene();
    it.apply(shop, below);
    const client = await it.open({ port: 443, tls: "shop.example" });
    const other = await it.open({ port: 443, tls: "a.shop.example" });
    it.apply(shop, rest);
    expect(await client?.ask("shop.example")).toBe("200 shop");
    expect(await client?.ask("news.example")).toBe("421");
    // Its listener is no more, but it was not cut.
    expect(await other?.ask("a.shop.example")).toBe("421");
    expect(await it.ask({ port: 443, tls: "a.shop.example" }, "a.shop.example")).toBe("200 rest");
  });

  test("are bounded each for itself", async () => {
    const { it, shop, below } = await scene();
    it.apply({ ...shop, connectionsMax: 1 }, below);
    const first = await it.open({ port: 443, tls: "shop.example" });
    expect(await it.ask({ port: 443, tls: "shop.example" }, "shop.example")).toBe("refused");
    expect(it.planes.machine("vm").records.limits).toEqual(["gatewayConnections"]);
    expect(await it.ask({ port: 443, tls: "a.shop.example" }, "a.shop.example")).toBe("200 below");
    first?.socket?.destroy();
    await it.net.settle();
    expect(await it.ask({ port: 443, tls: "shop.example" }, "shop.example")).toBe("200 shop");
  });
});

test("a client that was shown one of several certificates is sent to a connection of its own for names of another", async () => {
  const it = await GatewayScene.start();
  const certificates = [await it.certify("a", "a.example"), await it.certify("b", "b.example")];
  it.apply({ ...at, name: "both", port: 443, protocol: "https", certificates });
  const client = await it.open({ port: 443, tls: "a.example" });
  expect(await client?.ask("a.example")).toBe("200 both");
  expect(await client?.ask("b.example")).toBe("421");
  expect(await client?.ask("neither.example")).toBe("200 both");
  // The first there is was shown, and it asked for no other.
  const nameless = await it.open({ port: 443, tls: "" });
  expect(await nameless?.ask("b.example")).toBe("200 both");
});

test("a request for the host of a dot alone is served where there are several certificates, as where there is one", async () => {
  const it = await GatewayScene.start();
  const certificates = [await it.certify("a", "a.example"), await it.certify("b", "b.example")];
  it.apply({ ...at, name: "both", port: 443, protocol: "https", certificates });
  const client = await it.open({ port: 443, tls: "a.example" });
  for (const host of [".", ".:443"]) expect([host, await client?.ask(host)]).toEqual([host, "200 both"]);
});

test("listeners of http that share a port are told apart by the host of each request; whoever asks by an address hears of readiness", async () => {
  const it = await GatewayScene.start();
  const one = (name: string, hostname: string, more: Partial<GatewayListener> = {}): GatewayListener => ({
    ...{ ...at, name, hostname, port: 80, protocol: "http" },
    ...more,
  });
  it.apply(one("shop", "shop.example", { ready: "/-/ready" }), one("below", "*.shop.example"));
  const client = await it.open({ port: 80 });
  expect(await client?.ask("shop.example")).toBe("200 shop");
  expect(await client?.ask("a.shop.example:80")).toBe("200 below");
  expect(await client?.ask("news.example")).toBe("404");
  expect(await client?.ask("192.0.2.1", "/-/ready")).toBe("200");
  expect(await client?.ask("a.shop.example", "/-/ready")).toBe("200 below");
});

test("a listener of tls passes connections on unopened beside one of https, by the server name", async () => {
  const it = await GatewayScene.start();
  const shop = await it.certify("shop", "shop.example");
  const machine = it.planes.machine("vm");
  it.apply(
    { ...at, name: "shop", port: 443, protocol: "https", hostname: "shop.example", certificates: [shop] },
    { ...at, name: "closed", port: 443, protocol: "tls", hostname: "vault.example" },
  );
  expect(await it.ask({ port: 443, tls: "shop.example" }, "shop.example")).toBe("200 shop");
  expect(await it.open({ port: 443, tls: "vault.example" })).toBeNull();
  // It has no TLS route here: what was asked for is in the record.
  expect(machine.records.all.map(({ kind, service }) => [kind, service])).toContainEqual([
    "tcp",
    "edge:closed.default",
  ]);
});

test("behind a load balancer clients that say nothing keep nobody else out: each counts by the address that its PROXY header names", async () => {
  const it = await GatewayScene.start();
  const certificates = [await it.certify("shop", "shop.example")];
  it.apply({
    ...{ ...at, name: "shop", port: 443, protocol: "https", certificates },
    ...{ proxyProtocol: true, connectionsMax: limits.gatewayConnections },
  });
  const begin = async (client: string) => {
    const outsider = await it.open({ port: 443 });
    outsider?.write(`PROXY TCP4 ${client} 192.0.2.1 4000 443\r\n`);
    return outsider;
  };
  for (let count = 0; count < limits.meshStrangersPerSourceMax; count++) await begin("192.0.2.7");
  const other = await begin("192.0.2.8");
  await it.net.settle();
  expect([other?.gone, it.planes.machine("vm").records.limits]).toEqual([false, []]);
  const more = await begin("192.0.2.7");
  await it.net.settle();
  expect([more?.gone, it.planes.machine("vm").records.limits]).toEqual([true, ["meshStrangersPerSourceMax"]]);
});
