/** When a connection to an app that speaks HTTP/1.1 takes another request, and how long it waits for one. In memory. */
import { describe, expect, test } from "bun:test";
import type { Socket } from "../../../runtime/contract.ts";
import { Http1Client } from "../../../src/http/h1_client.ts";
import { Shard } from "../../../src/http/shard.ts";
import { limits } from "../../../src/model/limits.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { Heard, request } from "../../support/http_relay.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { bytesOf, fieldsOf } from "../../support/wire.ts";

interface Scene {
  readonly net: MemoryNet;
  readonly shard: Shard;
  readonly client: Http1Client;
  readonly app: Socket;
  readonly retired: () => boolean;
}

async function scene(): Promise<Scene> {
  const net = new MemoryNet();
  const shard = new Shard(net.clock);
  const silent = { data() {}, drain() {}, end() {}, close() {} };
  let app: Socket | null = null;
  let retired = false;
  const { port } = net.listen({ host: "127.0.0.1", port: 0 }, (socket) => {
    app = socket;
    return silent;
  });
  const client = await new Promise<Http1Client>((resolve, reject) => {
    net.connect(
      { host: "127.0.0.1", port, timeoutMs: 1_000 },
      {
        opened: (socket) => {
          const made = new Http1Client(socket, {
            shard,
            peer: "app",
            onIdle: () => {},
            onRetired: () => void (retired = true),
          });
          resolve(made);
          return made.handler;
        },
        failed: (error) => reject(new Error(error.message)),
      },
    );
    void net.settle();
  });
  await net.settle();
  return { net, shard, client, app: app as unknown as Socket, retired: () => retired };
}

/** One whole request, answered with these fields. */
async function exchange({ net, shard, client, app }: Scene, fields: string, trailers: string[] = []) {
  const heard = new Heard();
  shard.enter();
  const stream = client.start(request({ method: "POST", contentLength: -1 }), noEdits, heard);
  stream.end(trailers.length === 0 ? null : fieldsOf(...trailers));
  shard.leave();
  await net.settle();
  app.write(bytesOf(`HTTP/1.1 200 OK\r\ncontent-length: 0\r\n${fields}\r\n`));
  await net.settle();
  expect(heard.ended).toBe(true);
}

describe("a connection to an app", () => {
  for (const [field, keptMs] of [
    ["", limits.keepAlivePoolMs],
    ["keep-alive: timeout=5\r\n", 4_000],
    ["Keep-Alive: max=10, timeout=5\r\n", 4_000],
    ["keep-alive: timeout=1\r\n", 500],
    ["keep-alive: timeout=3600, max=1000\r\n", limits.keepAlivePoolMs],
    ["keep-alive: max=100\r\n", limits.keepAlivePoolMs],
    ["keep-alive: xtimeout=5\r\n", limits.keepAlivePoolMs],
    ["keep-alive: timeout=x\r\n", limits.keepAlivePoolMs],
    ["keep-alive: timeout=\r\n", limits.keepAlivePoolMs],
  ] as const)
    test(`waits ${keptMs} ms for its next request after ${JSON.stringify(field)}`, async () => {
      const here = await scene();
      await exchange(here, field);
      await here.net.pass(keptMs - 2 * limits.timerTickMs);
      expect([here.client.room, here.retired()]).toEqual([1, false]);
      await here.net.pass(4 * limits.timerTickMs);
      expect([here.client.room, here.retired()]).toEqual([0, true]);
    });

  test("waits as the last answer said, not as one before", async () => {
    const here = await scene();
    await exchange(here, "keep-alive: timeout=2\r\n");
    await exchange(here, "");
    await here.net.pass(10_000);
    expect(here.retired()).toBe(false);
  });

  test("takes no further request where the app keeps it no time at all", async () => {
    const here = await scene();
    await exchange(here, "keep-alive: timeout=0\r\n");
    expect(here.retired()).toBe(true);
  });

  test("on which trailers of a request went to the app takes no further request", async () => {
    const here = await scene();
    await exchange(here, "");
    expect(here.retired()).toBe(false);
    await exchange(here, "", ["x-sum: 7"]);
    expect([here.client.room, here.retired()]).toEqual([0, true]);
  });
});
