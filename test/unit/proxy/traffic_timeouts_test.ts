/** `timeouts` of a service, each of them: to connect, for an unused connection, and for a request of which nothing moves. */
import { describe, expect, test } from "bun:test";
import type { ConnectOptions, Net } from "../../../runtime/contract.ts";
import { limits } from "../../../src/model/limits.ts";
import type { Timeouts } from "../../../src/model/traffic.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes, type DestinationPlan } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

const ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const events = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

class Mesh {
  readonly net = new MemoryNet();
  readonly dials: ConnectOptions[] = [];
  planes!: Planes;

  static async start(answer: string, web: DestinationPlan): Promise<Mesh> {
    const mesh = new Mesh();
    const { net } = mesh;
    const app = new MemoryApp(net, {
      at: (step, socket) => void (step === "whole" && socket.write(bytesOf(answer))),
    });
    const noted: Net = {
      listen: (options, accept) => net.listen(options, accept),
      adopt: () => net.adopt(),
      connect: (options, dial) => {
        mesh.dials.push(options);
        return net.connect(options, dial);
      },
      secureServer: (socket, options, received, dial) => net.secureServer(socket, options, received, dial),
      originalDestination: () => null,
      udp: () => net.udp(),
      adoptUdp: () => net.udp(),
    };
    mesh.planes = await Planes.inMemory(
      net,
      { name: "a", net: noted, services: { caller: { app: 9, upstreams: ["web"] } } },
      { name: "b", services: { web: { app: app.port } } },
    );
    mesh.apply(web);
    return mesh;
  }

  apply(web: DestinationPlan): void {
    this.planes.apply({ caller: {}, web });
  }

  async call(passMs = 0): Promise<MemoryCall> {
    const port = this.planes.machine("a").port("caller", "web");
    const call = new MemoryCall(this.net, port, ["GET /x HTTP/1.1\r\nhost: web.mesh\r\n\r\n"]);
    await this.net.settle();
    await this.net.pass(passMs);
    return call;
  }

  /** How long each dial to another machine had, to connect and for the handshake. */
  get times(): (readonly [number, number | undefined])[] {
    return this.dials.map(({ timeoutMs, tls }) => [timeoutMs, tls?.handshakeTimeoutMs]);
  }

  get ended(): unknown[] {
    const [record] = this.planes.machine("a").records.of("outbound");
    return record === undefined ? [] : [record.outcome?.flag, record.outcome?.detail];
  }
}

const withTimeouts = (timeouts: Timeouts, more: DestinationPlan = {}): DestinationPlan => ({
  ...more,
  traffic: { timeouts },
});

for (const transport of ["shared", "http/1.1"] as const)
  describe(`connections to instances, transport ${transport}`, () => {
    test("have as long to stand as the document says, which counts for the next one when it changes", async () => {
      const mesh = await Mesh.start(ok, { transport });
      await mesh.call();
      mesh.apply(withTimeouts({ connectMs: 300 }, { transport }));
      mesh.planes.machine("a").plane.credentialsChanged();
      await mesh.call();
      expect(mesh.times).toEqual([
        [limits.connectMeshMs, limits.tlsHandshakeMs],
        [300, 300],
      ]);
    });

    test("are kept as long as the document says while nothing uses them", async () => {
      const mesh = await Mesh.start(ok, withTimeouts({ idleMs: 4_000 }, { transport }));
      await mesh.call(2_000);
      await mesh.call();
      expect(mesh.dials.length).toBe(1);
      await mesh.net.pass(8_000);
      await mesh.call();
      expect(mesh.dials.length).toBe(2);
    });
  });

describe("a request of which nothing moves", () => {
  test("ends when the document says so", async () => {
    const mesh = await Mesh.start("", withTimeouts({ streamIdleMs: 1_000 }));
    const call = await mesh.call(1_400);
    expect([call.answer.status, ...mesh.ended]).toEqual([504, "UT", expect.stringContaining("1000 ms")]);
    expect(mesh.ended.at(-1)).toContain("timeouts.streamIdle");
  });

  test("does not where the document says that there is no limit", async () => {
    const mesh = await Mesh.start("", withTimeouts({ streamIdleMs: 0 }));
    await mesh.call(3 * limits.answerIdleMs);
    expect(mesh.ended).toEqual([]);
  });
});

describe("a stream of events that is silent", () => {
  const silentFor = async (web: DestinationPlan): Promise<unknown> => {
    const mesh = await Mesh.start(events, web);
    await mesh.call(3 * limits.answerIdleMs);
    return mesh.ended[0];
  };

  test("may be so where nobody says anything, or its service is declared to have streams", async () => {
    expect(await silentFor({})).toBeUndefined();
    expect(await silentFor(withTimeouts({ streamIdleMs: 1_000 }, { stream: true }))).toBeUndefined();
  });

  test("ends where the document sets a limit", async () => {
    expect(await silentFor(withTimeouts({ streamIdleMs: 60_000 }))).toBe("SI");
  });
});
