/** Whoever fills the inbound port without a certificate takes nothing from the machines that have one. */
import { expect, test } from "bun:test";
import type { Dial, DialHandler, Socket } from "../../../../runtime/contract.ts";
import { Shard } from "../../../../src/http/shard.ts";
import { limits } from "../../../../src/model/limits.ts";
import { listenInbound } from "../../../../src/proxy/listen/inbound_listener.ts";
import { MemoryNet } from "../../../support/memory_net.ts";
import { captureHello } from "../../../support/hello.ts";
import { Recorder } from "../../../support/sockets.ts";
import { hangMs } from "../../../support/patience.ts";

const { meshStrangersPerSourceMax, meshStrangersBytesMax, strangerGraceMs } = limits;

function start() {
  const net = new MemoryNet();
  const trips: string[] = [];
  const handshakes: DialHandler[] = [];
  let cancelled = 0;
  const secureServer = (_socket: Socket, _tls: unknown, _received: unknown, dial: DialHandler): Dial => {
    handshakes.push(dial);
    return { cancel: () => void cancelled++ };
  };
  const { port } = listenInbound({
    net: { secureServer },
    listening: net,
    shard: new Shard(net.clock),
    ...{ host: "127.0.0.1", port: 0 },
    choose: () => ({ do: "open", tls: {} as never, secured: () => new Recorder() }),
    refused: () => {},
    onLimit: (limit) => trips.push(limit),
  });
  const dial = (): { socket: Socket | null; readonly heard: Recorder } => {
    const end = { socket: null as Socket | null, heard: new Recorder() };
    net.connect(
      { host: "127.0.0.1", port, timeoutMs: hangMs },
      {
        opened(socket) {
          end.socket = socket;
          return end.heard;
        },
        failed() {},
      },
    );
    return end;
  };
  return { net, trips, handshakes, cancelled: () => cancelled, dial };
}

test("of those that say nothing, or never end their handshake, the oldest go for those that come", async () => {
  const { net, trips, handshakes, cancelled, dial } = start();
  const strangers = Array.from({ length: meshStrangersPerSourceMax }, dial);
  await net.settle();
  const hello = await captureHello("web.default.mesh", []);
  strangers[0]?.socket?.write(hello);
  await net.settle();
  const early = dial();
  await net.settle();
  expect([early.heard.ended, cancelled(), handshakes.length]).toEqual([true, 0, 1]);
  await net.pass(strangerGraceMs);
  const [one, two] = [dial(), dial()];
  await net.settle();
  expect([cancelled(), strangers[1]?.heard.ended, strangers[2]?.heard.ended]).toEqual([1, true, false]);
  for (const { socket } of [one, two]) socket?.write(hello);
  await net.settle();
  expect(handshakes.length).toBe(3);
  expect(trips).toEqual(new Array<string>(3).fill("meshStrangersPerSourceMax"));
  // Who was verified counts no more.
  handshakes[1]?.opened(one.socket as Socket);
  const three = dial();
  await net.settle();
  expect([three.heard.ended, trips.length]).toEqual([false, 3]);
});

test("what they send of handshakes that never end is bounded for all of them together", async () => {
  const { net, trips, dial } = start();
  // A record of 16,000 bytes begins a ClientHello of 30,000.
  const begun = new Uint8Array(12_000);
  begun.set([0x16, 3, 1, 0x3e, 0x80, 1, 0, 0x75, 0x30]);
  const strangers = Array.from({ length: 900 }, dial);
  await net.settle();
  for (const { socket } of strangers) socket?.write(begun);
  await net.settle();
  const left = strangers.filter(({ heard }) => !heard.closed && !heard.ended);
  expect(left.length).toBeGreaterThan(300);
  expect(left.length * begun.length).toBeLessThanOrEqual(meshStrangersBytesMax);
  expect(new Set(trips)).toEqual(new Set(["meshStrangersBytesMax"]));
});
