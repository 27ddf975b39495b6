/** Contract of half-close, pause and failure of plain streams. */
import { describe, expect, test } from "bun:test";
import { runtime } from "../../support/runtime_under_test.ts";
import { plainPair, Recorder, until } from "../../support/sockets.ts";

const mib = 1024 * 1024;
const text = (words: string): Uint8Array => new TextEncoder().encode(words);

describe("half-close", () => {
  test("of the client leaves the server able to answer at length", async () => {
    const { client, server } = await plainPair(runtime);
    client.socket.write(text("question"));
    client.socket.shutdown();
    await until(() => server.heard.ended, "the FIN arrives");
    expect(server.heard.events).toEqual(["data", "end"]);
    server.socket.write(text("answer"));
    await until(() => client.heard.received === 6, "the answer arrives after the FIN");
    server.socket.write(text(" and more"));
    server.socket.shutdown();
    await until(() => client.heard.closed && server.heard.closed, "both are closed");
    expect(client.heard.text()).toBe("answer and more");
    expect(client.heard.events).toEqual(["data", "end", "close"]);
    expect(server.heard.events).toEqual(["data", "end", "close"]);
  });

  test("of the server leaves the client able to send", async () => {
    const { client, server } = await plainPair(runtime);
    server.socket.shutdown();
    await until(() => client.heard.ended, "the FIN arrives");
    expect(client.socket.write(text("still here"))).toBe(10);
    await until(() => server.heard.received === 10, "bytes arrive");
    client.socket.shutdown();
    await until(() => client.heard.closed && server.heard.closed, "both are closed");
    expect(server.heard.error).toBeNull();
  });

  test("sends everything that was taken before it", async () => {
    const { client, server } = await plainPair(runtime);
    server.socket.pause();
    const taken = client.socket.write(new Uint8Array(8 * mib));
    client.socket.shutdown();
    expect(client.socket.write(text("late"))).toBe(-1);
    server.socket.resume();
    await until(() => server.heard.ended, "the end arrives");
    expect(server.heard.received).toBe(taken);
    server.socket.destroy();
  });
});

describe("destroy", () => {
  test("still sends what was taken, and then a FIN", async () => {
    const { client, server } = await plainPair(runtime);
    server.socket.pause();
    const taken = client.socket.write(new Uint8Array(mib));
    client.socket.destroy();
    expect(client.heard.closed).toBe(false);
    await until(() => client.heard.closed, "close follows, after the call");
    expect(client.socket.write(text("late"))).toBe(-1);
    server.socket.resume();
    await until(() => server.heard.ended, "the end arrives");
    expect(server.heard.received).toBe(taken);
    server.socket.destroy();
    await until(() => server.heard.closed, "both are closed");
  });

  test("calls close once, with nothing after it, however often it is called", async () => {
    const { client, server } = await plainPair(runtime);
    server.heard.data = () => {
      server.socket.destroy();
      server.socket.destroy();
      server.socket.reset();
      server.socket.shutdown();
      server.socket.pause();
      server.socket.resume();
    };
    client.socket.write(text("x"));
    await until(() => server.heard.closed && client.heard.ended, "it is closed");
    client.socket.destroy();
    await until(() => client.heard.closed, "both are closed");
    expect(server.heard.events).toEqual(["close"]);
  });
});

describe("a reset", () => {
  test("that a write hears of first is a reset all the same", async () => {
    const { client, server } = await plainPair(runtime);
    client.socket.reset();
    expect(server.socket.write(text("x"))).toBe(-1);
    expect(server.heard.closed).toBe(false);
    await until(() => server.heard.closed, "close follows");
    expect(server.heard.events).toEqual(["close reset"]);
  });

  test("reaches an end that has paused", async () => {
    const { client, server } = await plainPair(runtime);
    server.socket.pause();
    client.socket.write(text("never read"));
    client.socket.reset();
    await until(() => server.heard.closed, "close follows");
    expect(server.heard.events).toEqual(["close reset"]);
  });
});

describe("pause", () => {
  test("keeps the peer from sending more than the kernel buffers, and delivers nothing", async () => {
    const { client, server } = await plainPair(runtime);
    server.socket.pause();
    const block = new Uint8Array(mib);
    const before = runtime.process.usage().residentBytes;
    let sent = 0;
    let idle = 0;
    while (idle < 20) {
      const taken = client.socket.write(block);
      sent += taken;
      idle = taken === 0 ? idle + 1 : 0;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(server.heard.received).toBe(0);
    expect(sent).toBeLessThan(32 * mib);
    expect(runtime.process.usage().residentBytes - before).toBeLessThan(32 * mib);
    server.heard.keep = false;
    server.socket.resume();
    await until(() => server.heard.received === sent, "all that was taken arrives");
    await until(() => client.heard.drains === 1, "drain is told once");
    client.socket.destroy();
  });

  test("inside data stops it at once, and nothing is lost or out of order", async () => {
    const { client, server } = await plainPair(runtime);
    const heard = new Recorder();
    let pauses = 0;
    const keep = heard.data.bind(heard);
    heard.data = (chunk) => {
      keep(chunk);
      server.socket.pause();
      pauses++;
      runtime.clock.after(1, () => server.socket.resume());
    };
    server.socket.handler = heard;
    for (let count = 0; count < 50; count++) {
      client.socket.write(text(`${count},`));
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.socket.shutdown();
    await until(() => heard.ended, "the end arrives");
    expect(heard.text()).toBe(Array.from({ length: 50 }, (_, count) => `${count},`).join(""));
    expect(pauses).toBeGreaterThan(1);
    server.socket.destroy();
  });
});

test("a handler can be replaced between two chunks", async () => {
  const { client, server } = await plainPair(runtime);
  client.socket.write(text("first"));
  await until(() => server.heard.received === 5, "the first chunk arrives");
  const next = new Recorder();
  server.socket.handler = next;
  client.socket.write(text("second"));
  await until(() => next.received === 6, "the new handler hears the second");
  client.socket.shutdown();
  await until(() => next.ended, "and the end");
  expect(server.heard.text()).toBe("first");
  server.socket.destroy();
});
