/** Interim answers (RFC 9110 section 15.2): who gets them. Whole planes in memory. */
import { describe, expect, test } from "bun:test";
import { Shard } from "../../../src/http/shard.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { dialHttp2, Heard, request } from "../../support/http_relay.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes, type DestinationPlan } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

const final = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/** `caller` on a machine, `web` on another one or the same; its app says an interim answer first. */
async function scene(web: DestinationPlan, near: boolean, status: number) {
  const net = new MemoryNet();
  const app = new MemoryApp(net, {
    at: (step, socket) => {
      if (step === "whole") socket.write(bytesOf(`HTTP/1.1 ${status} Wait\r\nlink: </a>\r\n\r\n${final}`));
    },
  });
  const runs = { web: { app: app.port } };
  const planes = await Planes.inMemory(
    net,
    { name: "a", services: { caller: { app: 9, upstreams: ["web"] }, ...(near ? runs : {}) } },
    ...(near ? [] : [{ name: "b", services: runs }]),
  );
  planes.apply({ caller: {}, web });
  return { net, port: planes.machine("a").port("caller", "web") };
}

for (const near of [true, false])
  for (const status of [102, 103])
    describe(`a ${status} of an app on ${near ? "the same" : "another"} machine`, () => {
      const statusHeard = async (web: DestinationPlan): Promise<number> => {
        const { net, port } = await scene(web, near, status);
        const call = new MemoryCall(net, port, ["GET / HTTP/1.1\r\nhost: web.mesh\r\n\r\n"]);
        await net.settle();
        return call.answer.status;
      };

      test("is kept from a caller of HTTP/1.1, which might take it for the answer", async () => {
        expect(await statusHeard({})).toBe(200);
      });

      test("goes to a caller of HTTP/1.1 where the service says so", async () => {
        expect(await statusHeard({ interim: "forward" })).toBe(status);
      });

      test("always goes to a caller of HTTP/2", async () => {
        const { net, port } = await scene({}, near, status);
        const shard = new Shard(net.clock);
        const dialled = dialHttp2({ net, clock: net.clock }, port, { shard });
        await net.settle();
        const client = await dialled;
        const heard = new Heard();
        shard.enter();
        client.start(request({ authority: "web.mesh" }), noEdits, heard);
        shard.leave();
        await net.settle();
        expect([heard.interim, heard.answer?.status]).toEqual([[status], 200]);
      });
    });

test("the 100 that a caller of HTTP/1.1 waits for always comes", async () => {
  const { net, port } = await scene({}, false, 100);
  const head = "POST / HTTP/1.1\r\nhost: web.mesh\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n";
  const call = new MemoryCall(net, port, [head, "hi"]);
  await net.settle();
  expect(call.answer.status).toBe(100);
});
