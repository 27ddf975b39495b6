/** Contract of plain streams: nothing lost, nothing unbounded, each end of a connection told apart. */
import { describe, expect, test } from "bun:test";
import { listeningDescriptor } from "../../support/descriptors.ts";
import { runtime } from "../../support/runtime_under_test.ts";
import { dial, dialled, listen, plainPair, Recorder, until } from "../../support/sockets.ts";
import { patterned, sendAll } from "../../support/streams.ts";
import { hangMs } from "../../support/patience.ts";

const mib = 1024 * 1024;

describe("a plain stream", () => {
  test("writes only the part between start and end, also of a view into a larger buffer", async () => {
    const { client, server } = await plainPair(runtime);
    const view = new TextEncoder().encode("..abcdef..").subarray(2, 8);
    expect(client.socket.write(view, 1, 4)).toBe(3);
    expect(client.socket.write(view, 4)).toBe(2);
    expect(client.socket.write(view, 3, 3)).toBe(0);
    await until(() => server.heard.received === 5, "five bytes arrive");
    expect(server.heard.text()).toBe("bcdef");
    client.socket.destroy();
  });

  test("carries 64 MiB to a reader that pauses again and again without losing or changing a byte", async () => {
    const { client, server } = await plainPair(runtime);
    const sent = patterned(64 * mib);
    let at = 0;
    let wrong = -1;
    let pauses = 0;
    server.heard.data = (chunk) => {
      for (let index = 0; index < chunk.length && wrong < 0; index += 97) {
        if (chunk[index] !== sent[at + index]) wrong = at + index;
      }
      at += chunk.length;
      if (++pauses % 50 === 0) {
        server.socket.pause();
        setTimeout(() => server.socket.resume(), 1);
      }
    };
    const waits = await sendAll(client, sent);
    expect(waits).toBeGreaterThan(0);
    client.socket.shutdown();
    await until(() => server.heard.ended, "the end arrives");
    expect(at).toBe(sent.length);
    expect(wrong).toBe(-1);
    server.socket.destroy();
  });

  test("takes the memory of a large piece back when the call returns; a slice of it is a copy that stays", async () => {
    const { client, server } = await plainPair(runtime);
    const sent = patterned(mib);
    const kept: Uint8Array[] = [];
    const handed: Uint8Array[] = [];
    server.heard.data = (chunk) => {
      handed.push(chunk);
      kept.push(chunk.slice());
    };
    await sendAll(client, sent);
    client.socket.shutdown();
    await until(() => server.heard.ended, "the end arrives");
    // What is small is not worth the giving back.
    expect(handed.filter(({ length }) => length >= 16 * 1024)).toEqual([]);
    expect(Buffer.concat(kept).equals(sent)).toBe(true);
    server.socket.destroy();
  });

  test("tells a reset from an orderly close", async () => {
    const orderly = await plainPair(runtime);
    orderly.client.socket.shutdown();
    await until(() => orderly.server.heard.ended, "the FIN arrives");
    orderly.server.socket.shutdown();
    await until(() => orderly.server.heard.closed && orderly.client.heard.closed, "both are closed");
    expect(orderly.server.heard.events).toEqual(["end", "close"]);
    expect(orderly.client.heard.events).toEqual(["end", "close"]);

    const broken = await plainPair(runtime);
    broken.client.socket.reset();
    await until(() => broken.server.heard.closed, "the reset arrives");
    expect(broken.server.heard.events).toEqual(["close reset"]);
    expect(broken.client.heard.error).toBeNull();
  });
});

describe("a dial", () => {
  test("to a port nobody has is refused", async () => {
    const { listener, port } = listen(runtime);
    listener.close();
    const answer = await dial(runtime, { host: "127.0.0.1", port, timeoutMs: hangMs });
    expect(answer).toMatchObject({ kind: "refused" });
  });

  test("that nobody answers fails after the time it has", async () => {
    // A full queue of connections: the kernel drops what comes then.
    const { port } = listeningDescriptor(runtime, 0);
    await dialled(runtime, { host: "127.0.0.1", port, timeoutMs: hangMs });
    const answer = await dial(runtime, { host: "127.0.0.1", port, timeoutMs: 50 });
    expect(answer).toMatchObject({ kind: "timeout" });
  });

  test("binds the local address it was given", async () => {
    const { listener, port, accepted } = listen(runtime);
    const client = await dialled(runtime, {
      host: "127.0.0.1",
      port,
      timeoutMs: hangMs,
      localAddress: "127.0.0.9",
    });
    await until(() => accepted.length === 1, "the listener accepts");
    expect(accepted[0]?.socket.remoteAddress).toBe("127.0.0.9");
    client.socket.destroy();
    listener.close();
  });

  test("calls nobody once it was cancelled", async () => {
    const { listener, port, accepted } = listen(runtime);
    let called = 0;
    const dialling = runtime.net.connect(
      { host: "127.0.0.1", port, timeoutMs: 20 },
      {
        opened: () => {
          called++;
          return new Recorder();
        },
        failed: () => void called++,
      },
    );
    dialling.cancel();
    await until(() => accepted.length === 0 || accepted[0]?.heard.closed === true, "the connection is gone");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(called).toBe(0);
    listener.close();
  });
});

test("a connection that no rule of the machine redirected was going nowhere else", async () => {
  const { accepted, port, listener } = listen(runtime);
  const { socket } = await dialled(runtime, { host: "127.0.0.1", port, timeoutMs: hangMs });
  await until(() => accepted.length > 0, "it is accepted");
  const called = runtime.net.originalDestination((accepted[0] as (typeof accepted)[number]).socket);
  // Where connections are tracked, the kernel may say where it went in fact.
  if (called !== null) expect(called).toEqual({ host: "127.0.0.1", port });
  socket.destroy();
  listener.close();
});
