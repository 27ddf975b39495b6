/** Two networks without a route between them, in memory: gateways of one pass TLS of the mesh on, unopened, and nothing else. */
import { describe, expect, test } from "bun:test";
import type { ConnectOptions, Dial, DialHandler, Net, Socket } from "../../../runtime/contract.ts";
import type { GatewayListener } from "../../../src/model/gateway.ts";
import { instanceId, machineServerName } from "../../../src/model/service.ts";
import type { Relay, Snapshot } from "../../../src/model/snapshot.ts";
import { clientHello } from "../../support/memory_tls.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { named, Planes, type DestinationPlan, type TestMachine } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

const here = "127.0.0.1";
const gatewayPorts = [15_443, 15_444];

/** What one machine may reach: everything but the inbound ports of machines of the other network, which swallow what is sent to them. */
class WithoutRoute {
  readonly far = new Set<number>();
  /** Ports that it dialled, those of gateways among them. */
  readonly dialled: number[] = [];
  /** Names that it asked for by TLS. */
  readonly asked: string[] = [];

  constructor(readonly net: MemoryNet) {}

  get asNet(): Net {
    const { net } = this;
    return {
      listen: (...all) => net.listen(...all),
      adopt: () => net.adopt(),
      secureServer: (...all) => net.secureServer(...all),
      originalDestination: () => null,
      udp: () => net.udp(),
      adoptUdp: () => net.adoptUdp(),
      connect: (options: ConnectOptions, dial: DialHandler): Dial => {
        this.dialled.push(options.port);
        if (options.tls !== undefined) this.asked.push(options.tls.serverName);
        if (!this.far.has(options.port)) return net.connect(options, dial);
        const error = { kind: "unreachable", code: "ENETUNREACH", message: "no route" } as const;
        net.soon(() => dial.failed(error));
        return { cancel() {} };
      },
    };
  }
}

interface SceneOptions {
  readonly web?: DestinationPlan;
  /** Ports of instances of each of the two machines of web: one, or several. */
  readonly each?: 1 | 2;
  readonly connections?: number;
  /** Default: on loopback, as everything here. */
  readonly address?: string;
}

class Scene {
  readonly net = new MemoryNet();
  readonly route = new WithoutRoute(this.net);
  readonly apps: MemoryApp[][];
  planes!: Planes;
  /** Where others reach the gateways. */
  gatewayHost = here;

  private constructor(readonly options: SceneOptions) {
    const { each = 1 } = options;
    this.apps = [0, 1].map(() =>
      Array.from(
        { length: each },
        () =>
          new MemoryApp(this.net, {
            at: (step, socket) => {
              if (step === "whole")
                void socket.write(bytesOf("HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\nok"));
            },
          }),
      ),
    );
  }

  static async start(options: SceneOptions = {}): Promise<Scene> {
    const scene = new Scene(options);
    const services = scene.apps.map(([app, ...more]) => ({
      web: { app: (app as MemoryApp).port, more: more.map(({ port }) => port) },
    }));
    scene.planes = await Planes.inMemory(
      scene.net,
      {
        ...{ name: "caller", network: "west", net: scene.route.asNet },
        services: { shop: { app: 9, upstreams: ["web"] } },
      },
      ...services.map((each, at) => ({ name: `web-${at}`, network: "east", services: each })),
      ...gatewayPorts.map((_, at) => ({
        ...{ name: `gate-${at}`, network: "east", services: { [`edge-${at}`]: { app: 1 } } },
        ...{ gateways: [named(`edge-${at}`)], files: { readSync: () => null } },
      })),
    );
    scene.apply();
    return scene;
  }

  machine(name: string): TestMachine {
    return this.planes.machine(name);
  }

  get relays(): Relay[] {
    return [0, 1].flatMap((at) => {
      const { plane } = this.machine(`web-${at}`);
      const apps = this.apps[at] as MemoryApp[];
      return apps.map(({ port }) => {
        const service = named("web");
        const id = instanceId(`web-${at}`, { service, port });
        const about = apps.length > 1 ? { id, apart: true as const } : { id };
        const serverName = machineServerName(`web-${at}`, service, about);
        return { network: "east", serverName, host: here, port: plane.inboundPort };
      });
    });
  }

  /** `gateways`: ports of those that there are. */
  apply(gateways: readonly number[] = gatewayPorts, relays = this.relays): void {
    for (const at of [0, 1]) this.route.far.add(this.machine(`web-${at}`).plane.inboundPort);
    const destinations = { shop: {}, "edge-0": {}, "edge-1": {}, web: this.options.web ?? {} };
    for (const machine of this.planes.machines) {
      const snapshot: Snapshot = {
        ...this.planes.snapshot(machine, destinations),
        networks: [{ name: "east", gateways: gateways.map((port) => ({ host: this.gatewayHost, port })) }],
        ...this.#gatewayOf(machine, relays),
      };
      machine.plane.apply(snapshot);
    }
  }

  #gatewayOf({ plan }: TestMachine, relays: readonly Relay[]): Pick<Snapshot, "gateways" | "relays"> {
    const at = Number(/^gate-(\d)$/.exec(plan.name)?.[1] ?? -1);
    const port = gatewayPorts[at];
    if (port === undefined) return {};
    const { address = here, connections = 100 } = this.options;
    const listener: GatewayListener = {
      ...{ name: "mesh", address, port, hostname: "*.mesh", meshNetwork: "east" },
      protocol: "tls",
      ...{ certificates: [], connectionsMax: connections },
    };
    return { relays, gateways: [{ service: named(`edge-${at}`), listeners: [listener] }] };
  }

  async call(): Promise<number> {
    const port = this.machine("caller").port("shop", "web");
    const call = new MemoryCall(this.net, port, ["GET /x HTTP/1.1\r\nhost: web.mesh\r\n\r\n"]);
    await this.net.settle();
    return call.answer.status;
  }

  /** How many of so many requests, all answered, each app got. */
  async spread(count: number): Promise<number[][]> {
    const before = this.#got;
    for (let at = 0; at < count; at++) expect(await this.call()).toBe(200);
    return this.#got.map((apps, at) => apps.map((got, app) => got - (before[at]?.[app] ?? 0)));
  }

  get #got(): number[][] {
    return this.apps.map((apps) => apps.map(({ requests }) => requests.length));
  }

  /** Connections that a gateway passed on. */
  passed(at: number): (string | null)[] {
    const { records } = this.machine(`gate-${at}`);
    return [...records.all, ...records.open]
      .filter(({ service }) => service === "mesh")
      .map(({ endpoint }) => endpoint);
  }

  /** What a stranger gets who asks a gateway for that name: "closed", "open". */
  async knock(serverName: string): Promise<string> {
    const heard: string[] = [];
    this.net.connect(
      { host: here, port: gatewayPorts[0] as number, timeoutMs: 1_000 },
      {
        opened: (socket: Socket) => {
          socket.write(clientHello(serverName, 0xff_ff_ff));
          return {
            data: () => void heard.push("answered"),
            drain() {},
            end: () => void heard.push("closed"),
            close: () => void heard.push("closed"),
          };
        },
        failed: () => void heard.push("failed"),
      },
    );
    await this.net.settle();
    return heard.includes("closed") ? "closed" : "open";
  }
}

describe("a caller without a route to the machines of a service", () => {
  test("reaches each of them by the gateways of their network, which open nothing", async () => {
    const scene = await Scene.start();
    expect(await scene.spread(20)).toEqual([[10], [10]]);
    // One connection for each instance, each by another gateway.
    expect([...scene.passed(0), ...scene.passed(1)].map((each) => each?.split(" ")[0]).sort()).toEqual([
      "web-0.at.web.default.mesh",
      "web-1.at.web.default.mesh",
    ]);
    expect([scene.passed(0).length, scene.passed(1).length]).toEqual([1, 1]);
    expect(scene.route.dialled.filter((port) => scene.route.far.has(port))).toEqual([]);
    const [first] = scene.machine("web-0").records.of("inbound");
    expect(first).toMatchObject({ source: "shop.default", tls: true });
  });

  test("reaches each of several instances of one machine", async () => {
    const scene = await Scene.start({ each: 2 });
    expect(await scene.spread(20)).toEqual([
      [5, 5],
      [5, 5],
    ]);
  });

  test("takes another gateway where one is gone, and tries that one last for a while", async () => {
    const scene = await Scene.start();
    scene.apply([1, gatewayPorts[1] as number]);
    expect(await scene.spread(8)).toEqual([[4], [4]]);
    expect(scene.passed(1).length).toBe(2);
    // The first of the two dials met it, or the second did: no later one.
    expect(scene.route.dialled.filter((port) => port === 1).length).toBe(1);
  });

  test("tells that no gateway could be reached", async () => {
    const scene = await Scene.start();
    scene.apply([1, 2]);
    expect(await scene.call()).toBe(503);
    const [record] = scene.machine("caller").records.all;
    expect(record?.outcome?.detail).toContain("by the gateway 127.0.0.1:");
    expect(record?.outcome?.detail).not.toContain("nothing listens");
  });

  test("goes straight there while the network has no gateways", async () => {
    const scene = await Scene.start();
    scene.apply([]);
    expect(await scene.call()).toBe(503);
    expect(scene.route.dialled.some((port) => scene.route.far.has(port))).toBe(true);
    scene.route.far.clear();
    expect(await scene.call()).toBe(200);
    // By the name that proxies from before networks know, too.
    expect(new Set(scene.route.asked)).toEqual(new Set(["web.default.mesh"]));
  });

  test("leaves out the instance that fails, not the gateway that leads there", async () => {
    const scene = await Scene.start({ web: { traffic: { circuitBreaking: { ejectedPercent: 100 } } } });
    expect(await scene.spread(4)).toEqual([[2], [2]]);
    scene.machine("web-0").plane.end();
    scene.apply(
      gatewayPorts,
      scene.relays.map((each) => (each.serverName.startsWith("web-0.") ? { ...each, port: 1 } : each)),
    );
    for (let at = 0; at < 30; at++) await scene.call();
    const [failing, well] = await scene.spread(10);
    expect(failing).toEqual([0]);
    expect(well).toEqual([10]);
    expect(scene.machine("caller").records.ejections.map((each) => each.split(" ")[0])).toContain(
      "web.default",
    );
  });
});

describe("a gateway that passes TLS of the mesh on", () => {
  test("refuses names that it has not, no name, and names of its own network's services", async () => {
    const scene = await Scene.start();
    const [relay] = scene.relays as [Relay];
    expect(await scene.knock(relay.serverName)).toBe("open");
    for (const name of [
      ...["", "web.default.mesh", "example.com", "web-2.at.web.default.mesh"],
      ...[`x.${relay.serverName}`, "edge-0.default.mesh", "constructor"],
    ])
      expect([name, await scene.knock(name)]).toEqual([name, "closed"]);
    expect(scene.passed(0).length).toBe(1);
  });

  test("passes on to no machine of another network than its own", async () => {
    const scene = await Scene.start();
    const [relay] = scene.relays as [Relay];
    scene.apply(gatewayPorts, [{ ...relay, network: "north" }]);
    expect(await scene.knock(relay.serverName)).toBe("closed");
  });

  test("never takes an instance for one that says to be at a gateway", async () => {
    const scene = await Scene.start();
    const [relay] = scene.relays as [Relay];
    scene.apply(gatewayPorts, [{ ...relay, port: gatewayPorts[1] as number }]);
    expect(await scene.knock(relay.serverName)).toBe("closed");
    expect(scene.passed(0)).toEqual([]);
  });

  test("never takes one for an instance that says to be at a gateway, however it writes the address", async () => {
    const scene = await Scene.start();
    const [relay] = scene.relays as [Relay];
    scene.apply(gatewayPorts, [{ ...relay, host: `::ffff:${here}`, port: gatewayPorts[1] as number }]);
    expect(await scene.knock(relay.serverName)).toBe("closed");
    expect(scene.passed(0)).toEqual([]);
  });

  test("passes no connection on to itself, where others reach it at an address that it does not have", async () => {
    const scene = await Scene.start();
    const [relay] = scene.relays as [Relay];
    scene.gatewayHost = "203.0.113.7";
    scene.apply(gatewayPorts, [{ ...relay, port: gatewayPorts[0] as number }]);
    expect(await scene.knock(relay.serverName)).toBe("closed");
    expect(scene.passed(0)).toEqual([]);
  });

  test("never takes one for an instance that says to be on the gateway's own machine or link", async () => {
    const scene = await Scene.start({ address: "0.0.0.0" });
    const [relay] = scene.relays as [Relay];
    const nearby = ["127.0.0.1", "127.9.9.9", "0.0.0.0", "169.254.169.254", "::1", "::"];
    const written = ["::ffff:127.0.0.1", "::ffff:7f00:1", "fe80::1", "224.0.0.1", "ff02::1"];
    for (const host of [...nearby, ...written]) {
      scene.apply(gatewayPorts, [{ ...relay, host }]);
      expect([host, await scene.knock(relay.serverName)]).toEqual([host, "closed"]);
    }
    scene.apply(gatewayPorts, [{ ...relay, host: "10.0.0.2" }]);
    expect(await scene.knock(relay.serverName)).toBe("open");
  });

  test("resets a connection for which it has no room, before it reads its name again", async () => {
    const scene = await Scene.start({ connections: 1 });
    const [relay] = scene.relays as [Relay];
    expect(await scene.knock(relay.serverName)).toBe("open");
    expect(await scene.knock(relay.serverName)).toBe("closed");
    expect(scene.machine("gate-0").records.limits).toEqual(["gatewayConnections"]);
  });
});
