/** Frames between proxy and policy host survive every cut of the stream and end it when they are too long. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Socket, SocketHandler } from "../../../runtime/contract.ts";
import { FrameChannel, frameKinds } from "../../../src/policy/protocol.ts";

/** A socket that takes at most `takes` bytes per write and remembers them. */
function pipe(takes = Number.POSITIVE_INFINITY): {
  socket: Socket;
  sent: () => Uint8Array;
  destroyed: () => boolean;
} {
  const chunks: Uint8Array[] = [];
  let destroyed = false;
  const idle: SocketHandler = { data() {}, drain() {}, end() {}, close() {} };
  const socket: Socket = {
    handler: idle,
    remoteAddress: "",
    remotePort: 0,
    localPort: 0,
    tls: null,
    write(bytes, start = 0, end = bytes.length) {
      const taken = Math.min(end - start, takes);
      chunks.push(bytes.slice(start, start + taken));
      return taken;
    },
    pause() {},
    resume() {},
    limitInput() {},
    shutdown() {},
    destroy: () => void (destroyed = true),
    reset() {},
  };
  return { socket, sent: () => Buffer.concat(chunks), destroyed: () => destroyed };
}

type Frame = readonly [kind: number, first: number, second: number, text: string];

function receiver(): { channel: FrameChannel; frames: Frame[]; gone: string[]; destroyed: () => boolean } {
  const frames: Frame[] = [];
  const gone: string[] = [];
  const { socket, destroyed } = pipe();
  const channel = new FrameChannel(
    () => socket,
    { soon: () => {} },
    {
      frame: (...frame) => void frames.push(frame),
      gone: (reason) => void gone.push(reason),
    },
  );
  return { channel, frames, gone, destroyed };
}

function sender(takes?: number): { channel: FrameChannel; sent: () => Uint8Array } {
  const { socket, sent } = pipe(takes);
  const channel = new FrameChannel(() => socket, { soon: () => {} }, { frame() {}, gone() {} });
  return { channel, sent };
}

test("any frames cut anywhere arrive whole and in order", () => {
  const frame = fc.tuple(
    fc.constantFrom(...Object.values(frameKinds)),
    fc.nat(0xffffffff),
    fc.nat(0xffffffff),
    fc.string({ unit: "binary", maxLength: 300 }),
  );
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 12 }),
      fc.array(fc.nat(60), { maxLength: 40 }),
      (frames, cuts) => {
        const { channel, sent } = sender();
        for (const each of frames) channel.send(...each);
        channel.flush();
        const bytes = sent();
        const there = receiver();
        let at = 0;
        for (const cut of [...cuts, bytes.length]) {
          // What the socket hands over is reused after the call.
          const chunk = bytes.slice(at, at + cut);
          there.channel.data(chunk);
          chunk.fill(0xff);
          at = Math.min(bytes.length, at + cut);
        }
        const texts = frames.map(([kind, first, second, text]) => [kind, first, second, text.toWellFormed()]);
        expect(there.frames.map((each) => [...each])).toEqual(texts);
      },
    ),
  );
});

test("what the socket does not take now leaves when it drains", () => {
  const { channel, sent } = sender(7);
  channel.send(frameKinds.calls, 1, 2, "a text that is longer than seven bytes");
  channel.flush();
  channel.send(frameKinds.calls, 1, 3, "another");
  while (channel.backlogBytes > 0) channel.drain();
  const there = receiver();
  there.channel.data(sent());
  expect(there.frames.map((frame) => frame[3])).toEqual([
    "a text that is longer than seven bytes",
    "another",
  ]);
});

test("a frame that announces too much ends the channel before it is kept", () => {
  const there = receiver();
  const head = new Uint8Array(13);
  new DataView(head.buffer).setUint32(0, 0xfffffff0, true);
  there.channel.data(head);
  expect(there.gone.join()).toContain("longer than");
  expect(there.destroyed()).toBe(true);
  there.channel.data(head);
  expect([there.frames.length, there.gone.length]).toEqual([0, 1]);
});

test("what a long frame needed is given back", () => {
  const { channel, sent } = sender();
  const usual = channel.bufferedBytes;
  channel.send(frameKinds.calls, 1, 2, "x".repeat(3_000_000));
  channel.flush();
  expect(channel.bufferedBytes).toBe(usual);
  const there = receiver();
  const bytes = sent();
  for (let at = 0; at < bytes.length; at += 60_000) there.channel.data(bytes.subarray(at, at + 60_000));
  expect([there.frames.length, there.channel.bufferedBytes]).toEqual([1, usual]);
});
