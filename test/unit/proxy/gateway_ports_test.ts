/** Listeners of a gateway that share a port, over a network in memory. */
import { describe, expect, test } from "bun:test";
import type { GatewayListener } from "../../../src/model/gateway.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { hangMs } from "../../support/patience.ts";
import { named, Planes, type DestinationPlan } from "../../support/planes.ts";
import { bytesOf, textOf } from "../../support/wire.ts";

const at = { address: "127.0.0.1", connectionsMax: 100, certificates: [] } as const;

/** Answers with its own name, so that it is seen which routes a request met. */
function answering(name: string): DestinationPlan {
  return {
    routes: [
      {
        ...{ name, match: { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] } },
        ...{ requestTimeoutMs: null, idempotent: false, backends: [], policies: [] },
        filters: { respond: { status: 200, headers: [], body: name } },
      },
    ],
  };
}

interface Asked {
  readonly port: number;
  /** Server name; absent: in clear text. */
  readonly tls?: string;
}

class Scene {
  readonly net = new MemoryNet();
  readonly files = new Map<string, Uint8Array>();
  planes!: Planes;

  static async start(): Promise<Scene> {
    const scene = new Scene();
    scene.planes = await Planes.inMemory(scene.net, {
      ...{ name: "vm", services: { edge: { app: 1 } } },
      gateways: [named("edge")],
      files: { readSync: (path) => scene.files.get(path) ?? null },
    });
    return scene;
  }

  /** Certificate files of that name, for those names. */
  async certify(file: string, ...dns: readonly string[]): Promise<{ certificate: string; key: string }> {
    const { chainPem, keyPem } = await this.planes.authority.issue({ dns, ...this.planes.validity });
    this.files.set(`/${file}.pem`, bytesOf(chainPem));
    this.files.set(`/${file}.key`, bytesOf(keyPem));
    return { certificate: `/${file}.pem`, key: `/${file}.key` };
  }

  apply(...listeners: readonly GatewayListener[]): void {
    const machine = this.planes.machine("vm");
    const routes = listeners.map(({ name, protocol }) => {
      const spoken = protocol === "tls" ? "tls" : "http";
      return [`edge:${name}`, { ...answering(name), protocol: spoken }] as const;
    });
    const snapshot = this.planes.snapshot(machine, { edge: {}, ...Object.fromEntries(routes) });
    machine.plane.apply({ ...snapshot, gateways: [{ service: named("edge"), listeners }] });
  }

  /** A connection that stays open. null: it was refused. */
  async open({ port, tls }: Asked): Promise<Outsider | null> {
    const outsider = new Outsider(this.net);
    this.net.connect(
      {
        ...{ host: "127.0.0.1", port, timeoutMs: hangMs },
        ...(tls === undefined
          ? {}
          : {
              tls: {
                ...{ trustPem: this.planes.roots, alpn: ["http/1.1"], serverName: tls, verify: "chain" },
                ...{ accept: () => null, handshakeTimeoutMs: hangMs },
              },
            }),
      },
      {
        opened: (socket) => {
          outsider.socket = socket;
          return outsider;
        },
        failed() {},
      },
    );
    await this.net.settle();
    return outsider.socket === null || outsider.gone ? null : outsider;
  }

  async ask(asked: Asked, host: string, path = "/"): Promise<string> {
    const outsider = await this.open(asked);
    return outsider === null ? "refused" : await outsider.ask(host, path);
  }
}

class Outsider {
  socket: { write(bytes: Uint8Array): number; destroy(): void } | null = null;
  gone = false;
  #text = "";

  constructor(readonly net: MemoryNet) {}

  data(chunk: Uint8Array): void {
    this.#text += textOf(chunk);
  }

  drain(): void {}

  end(): void {
    this.gone = true;
  }

  close(): void {
    this.gone = true;
  }

  /** Status, and the body where it is that of a route. */
  async ask(host: string, path = "/"): Promise<string> {
    this.#text = "";
    this.socket?.write(bytesOf(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`));
    await this.net.settle();
    if (this.#text === "") return "refused";
    const [head = "", body = ""] = this.#text.split("\r\n\r\n");
    const status = head.split(" ")[1] ?? "";
    return status === "200" ? `200 ${body}`.trim() : status;
  }
}

describe("listeners of https that share a port", () => {
  async function scene() {
    const it = await Scene.start();
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
  const it = await Scene.start();
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

test("listeners of http that share a port are told apart by the host of each request; whoever asks by an address hears of readiness", async () => {
  const it = await Scene.start();
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
  const it = await Scene.start();
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
