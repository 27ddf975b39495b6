/** Which service a name means, however it is written. */
import { describe, expect, test } from "bun:test";
import { meshService } from "../../../../src/proxy/find/mesh_name.ts";
import { dialHttp2, Heard, request } from "../../../support/http_relay.ts";
import { Shard } from "../../../../src/http/shard.ts";
import { noEdits } from "../../../../src/wire/fields.ts";
import { MemoryApp, MemoryCall } from "../../../support/memory_http.ts";
import { MemoryNet } from "../../../support/memory_net.ts";
import { Planes } from "../../../support/planes.ts";
import { bytesOf } from "../../../support/wire.ts";

const web = { name: "web", namespace: "default" };
const own = { name: "web", namespace: "shop" };

describe("a name", () => {
  for (const [authority, service] of [
    ["web.mesh", web],
    ["web.mesh.", web],
    ["web.mesh:80", web],
    ["web.mesh.:80", web],
    ["web.shop.mesh.", own],
    ["web.shop.mesh.:65535", own],
    ["web.mesh..", null],
    [".mesh", null],
    ["mesh.", null],
    [".", null],
    ["web.mesh.example.", null],
    ["web", null],
  ] as const)
    test(`${authority} means ${service === null ? "no service" : `${service.name} of ${service.namespace}`}`, () => {
      expect(meshService(authority, "default")).toEqual(service);
    });
});

describe("a request for a name with a final dot, or with a port of any number, is for the service", () => {
  async function scene() {
    const net = new MemoryNet();
    const app = new MemoryApp(net, {
      at: (step, socket) => {
        if (step === "whole") socket.write(bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
      },
    });
    const db = net.listen({ host: "127.0.0.1", port: 0 }, (socket) => ({
      data: (chunk) => void socket.write(chunk),
      drain() {},
      end: () => socket.shutdown(),
      close() {},
    }));
    const planes = await Planes.inMemory(
      net,
      { name: "a", services: { caller: { app: 9 } } },
      { name: "b", services: { web: { app: app.port }, db: { app: db.port } } },
    );
    planes.apply({ caller: {}, web: {}, db: { protocol: "tcp" } });
    return { net, port: planes.machine("a").port("caller") };
  }

  for (const head of [
    "GET / HTTP/1.1\r\nhost: web.mesh.\r\n\r\n",
    "GET / HTTP/1.1\r\nhost: web.default.mesh.:8080\r\n\r\n",
    "GET http://web.mesh.:1/ HTTP/1.1\r\nhost: other\r\n\r\n",
    "CONNECT db.mesh.:5432 HTTP/1.1\r\nhost: db.mesh.:5432\r\n\r\n",
  ])
    test(JSON.stringify(head.slice(0, head.indexOf("\r\n\r\n"))), async () => {
      const { net, port } = await scene();
      const call = new MemoryCall(net, port, [head]);
      await net.settle();
      expect(call.answer.status).toBe(200);
    });

  test(":authority web.mesh.", async () => {
    const { net, port } = await scene();
    const shard = new Shard(net.clock);
    const dialled = dialHttp2({ net, clock: net.clock }, port, { shard });
    await net.settle();
    const client = await dialled;
    const heard = new Heard();
    shard.enter();
    client.start(request({ authority: "web.mesh." }), noEdits, heard);
    shard.leave();
    await net.settle();
    expect(heard.answer?.status).toBe(200);
  });
});
