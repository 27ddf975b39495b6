/** Apps that send GOAWAY with hundreds of requests under way that they did not begin: none of those is lost, whatever its method is. */
import { expect, test } from "bun:test";
import type { Socket, SocketHandler } from "../../../runtime/contract.ts";
import { Http2Server } from "../../../src/http/h2_server.ts";
import { Shard } from "../../../src/http/shard.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { frameTypes } from "../../../src/wire/h2/frames.ts";
import { profiles } from "../../../src/wire/h2/settings.ts";
import { concat, frame, number32, settings } from "../../support/h2_frames.ts";
import { MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes } from "../../support/planes.ts";

const goaway = frame(frameTypes.goaway, 0, 0, concat(number32(0), number32(0)));

/** Begins nothing of what comes on its first connections: GOAWAY says so once much has come. */
class App {
  readonly port: number;
  served = 0;
  connections = 0;

  constructor(
    readonly net: MemoryNet,
    readonly refusing: number,
  ) {
    const shard = new Shard(net.clock);
    this.port = net.listen({ host: "127.0.0.1", port: 0 }, (socket) => {
      if (++this.connections <= this.refusing) return this.#refuse(socket);
      return new Http2Server(socket, {
        shard,
        profile: profiles.local,
        connection: { remoteAddress: "", remotePort: 0, localPort: 0, peer: null, serverName: "" },
        handler: (exchange) => {
          this.served++;
          exchange.respond(200, null, noEdits, 0);
          exchange.end(null);
        },
      });
    }).port;
  }

  #refuse(socket: Socket): SocketHandler {
    socket.write(settings());
    this.net.clock.after(50, () => socket.write(goaway));
    return { data() {}, drain() {}, end: () => socket.destroy(), close() {} };
  }
}

async function statusesOf(refusing: number, retries: Record<string, unknown> = {}): Promise<unknown> {
  const net = new MemoryNet();
  const apps = [0, 1, 2].map(() => new App(net, refusing));
  const planes = await Planes.inMemory(
    net,
    { name: "a", services: { caller: { app: 9, upstreams: ["web"] } } },
    ...apps.map(({ port }, at) => ({ name: `b-${at}`, services: { web: { app: port } } })),
  );
  const circuitBreaking = { failures: 0, successPercent: 0 };
  planes.apply({ caller: {}, web: { protocol: "http2", traffic: { circuitBreaking, ...retries } } });
  const request = "POST / HTTP/1.1\r\nhost: web.mesh\r\ncontent-length: 0\r\n\r\n";
  const port = planes.machine("a").port("caller", "web");
  const calls = Array.from({ length: 300 }, () => new MemoryCall(net, port, [request]));
  await net.pass(3_000);
  const served = apps.reduce((sum, app) => sum + app.served, 0);
  return { statuses: [...new Set(calls.map(({ answer }) => answer.status))], served };
}

test("all apps go away at once, and every POST is answered, once", async () => {
  expect(await statusesOf(1)).toEqual({ statuses: [200], served: 300 });
});

test("apps that refuse for ever are asked a bounded number of times, and their callers are told", async () => {
  expect(await statusesOf(1_000)).toEqual({ statuses: [502], served: 0 });
});
