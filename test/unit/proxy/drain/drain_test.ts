/**
 * A data plane that is asked to end, on a network and a clock inside one process: it goes on taking what is new while something of
 * it is open, and nothing that only stands there keeps it.
 */
import { afterEach, expect, test } from "bun:test";
import type { Socket, SocketHandler } from "../../../../runtime/contract.ts";
import { limits } from "../../../../src/model/limits.ts";
import { MemoryNet } from "../../../support/memory_net.ts";
import { Planes, type TestMachine } from "../../../support/planes.ts";
import { Recorder, type End } from "../../../support/sockets.ts";
import { hangMs } from "../../../support/patience.ts";

const { drainIdleMs, drainLateMs, drainLookMs, drainArriveMs, drainMs } = limits;
let closing: Promise<void> = Promise.resolve();
let planes: Planes | null = null;
afterEach(async () => {
  await planes?.close();
});

/** Answers GET, gives everything else back; `/later` when it is told to. */
class App implements SocketHandler {
  constructor(
    readonly socket: Socket,
    readonly waiting: Socket[],
  ) {}

  data(chunk: Uint8Array): void {
    const text = Buffer.from(chunk).toString("latin1");
    if (text.startsWith("GET /later")) this.waiting.push(this.socket);
    else this.socket.write(text.startsWith("GET") ? answer : chunk.slice());
  }

  drain(): void {}

  end(): void {
    this.socket.destroy();
  }

  close(): void {}
}

const answer = Buffer.from("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");

async function start() {
  const net = new MemoryNet();
  const waiting: Socket[] = [];
  const app = net.listen({ host: "127.0.0.1", port: 0 }, (socket) => new App(socket, waiting));
  planes = await Planes.start({
    ...{ name: "a", net, clock: net.clock },
    services: {
      caller: { app: app.port, upstreams: ["web", "pipe"] },
      web: { app: app.port },
      pipe: { app: app.port },
    },
  });
  planes.apply({ web: {}, pipe: { protocol: "tcp" } });
  const machine: TestMachine = planes.machine("a");
  const dial = async (upstream: "web" | "pipe"): Promise<End | null> => {
    let found: End | null = null;
    net.connect(
      { host: "127.0.0.1", port: machine.port("caller", upstream), timeoutMs: hangMs },
      {
        opened(socket) {
          const heard = new Recorder();
          found = { socket, heard };
          return heard;
        },
        failed() {},
      },
    );
    await net.settle();
    return found;
  };
  const say = async (end: End | null, text: string): Promise<string> => {
    end?.socket.write(Buffer.from(text));
    await net.settle();
    return end?.heard.text() ?? "refused";
  };
  let over = false;
  const end = (deadlineMs: number = drainMs, mayLeave?: () => Promise<void>): void => {
    closing = machine.plane.close(deadlineMs, mayLeave).then(() => void (over = true));
  };
  const cede = (deadlineMs: number): void => {
    closing = machine.plane.cede(deadlineMs).then(() => void (over = true));
  };
  return { cede, net, machine, dial, say, end, waiting, over: () => over };
}

const get = (path = "/"): string => `GET ${path} HTTP/1.1\r\nhost: web\r\n\r\n`;

test("with nothing open it has ended at once", async () => {
  const { net, end, over, dial } = await start();
  end();
  await net.pass(2 * drainArriveMs);
  expect(over()).toBe(true);
  expect(await dial("web")).toBeNull();
});

test("with a successor that has started and does not serve yet it goes on taking what is new, until its time is over", async () => {
  for (const how of ["serves", "never serves"] as const) {
    const { net, end, over, dial, say } = await start();
    const successor = Promise.withResolvers<void>();
    end(drainMs, () => successor.promise);
    await net.pass(drainMs / 2);
    const late = await dial("web");
    expect(await say(late, get())).toStartWith("HTTP/1.1 200 OK");
    late?.socket.destroy();
    expect(over()).toBe(false);
    if (how === "serves") successor.resolve();
    await net.pass(how === "serves" ? 2 * drainArriveMs : drainMs / 2 + 2 * drainArriveMs);
    expect(over()).toBe(true);
    expect(await dial("web")).toBeNull();
    await planes?.close();
  }
});

test("with one idle opaque connection it answers what is new, and is gone once that has had its time", async () => {
  const { net, machine, dial, say, end, over } = await start();
  const idle = await dial("pipe");
  expect(await say(idle, "hello")).toBe("hello");
  end();
  for (let passedMs = 0; passedMs < drainIdleMs; passedMs += drainLookMs) {
    const web = await dial("web");
    expect(await say(web, get())).toStartWith("HTTP/1.1 200 OK");
    const pipe = await dial("pipe");
    expect(await say(pipe, "new")).toBe("new");
    for (const each of [web, pipe]) each?.socket.destroy();
    expect([idle?.heard.closed, over()]).toEqual([false, false]);
    await net.pass(drainLookMs);
  }
  await net.pass(2 * drainLookMs + drainArriveMs);
  expect([idle?.heard.error?.kind, over()]).toEqual(["reset", true]);
  expect(machine.records.of("outbound").find(({ outcome }) => outcome?.flag === "DT")?.kind).toBe("tcp");
});

test("what it took meanwhile is told to go elsewhere too", async () => {
  const { net, dial, say, end, waiting } = await start();
  const old = await dial("web");
  await say(old, get("/later"));
  end();
  await net.pass(drainLookMs);
  const late = await dial("web");
  expect(await say(late, get())).not.toContain("connection: close");
  await net.pass(2 * drainLookMs);
  expect([late?.heard.ended, old?.heard.ended]).toEqual([true, false]);
  waiting[0]?.write(answer);
  await net.settle();
  expect(old?.heard.text()).toContain("connection: close");
});

test("an opaque connection on which something passes has the time that there is, and no more", async () => {
  const { net, dial, say, end, over } = await start();
  const busy = await dial("pipe");
  await say(busy, "a");
  end();
  for (let passedMs = 0; passedMs < drainMs - 2_000; passedMs += 1_000) {
    await say(busy, "a");
    await net.pass(1_000);
    expect([busy?.heard.closed, over()]).toEqual([false, false]);
  }
  await say(busy, "a");
  expect(await say(await dial("web"), get())).toStartWith("HTTP/1.1 200 OK");
  await net.pass(2_000);
  expect([busy?.heard.error?.kind, over()]).toEqual(["reset", true]);
  expect(await dial("web")).toBeNull();
});

test("what came last and lasts is waited for, with the listeners open again", async () => {
  const { net, dial, say, end, over, waiting } = await start();
  const old = await dial("web");
  await say(old, get("/later"));
  end();
  await net.pass(drainLookMs);
  const late = await dial("web");
  await say(late, get("/later"));
  waiting[0]?.write(answer);
  await net.settle();
  // The old one is over: its listeners close for a while, and open again because of the late one.
  old?.socket.destroy();
  await net.settle();
  expect(await dial("web")).toBeNull();
  await net.pass(drainLateMs + drainArriveMs);
  expect(over()).toBe(false);
  expect(await say(await dial("web"), get())).toStartWith("HTTP/1.1 200 OK");
  waiting[1]?.write(answer);
  await net.settle();
  expect(late?.heard.text()).toStartWith("HTTP/1.1 200 OK");
  await net.pass(limits.lingerMs + drainLateMs + 2 * drainArriveMs);
  expect(over()).toBe(true);
  await closing;
});

test("with no time at all it cuts at once", async () => {
  const { net, dial, say, end, over } = await start();
  const pipe = await dial("pipe");
  await say(pipe, "a");
  end(0);
  await net.pass(0);
  expect([pipe?.heard.error?.kind, over()]).toEqual(["reset", true]);
});

test("beside a successor it takes nothing new, and idle connections of both kinds live on: one more request, and all its time", async () => {
  const { net, dial, say, cede, over } = await start();
  const [pipe, web] = [await dial("pipe"), await dial("web")];
  await say(pipe, "a");
  expect(await say(web, get())).not.toContain("connection: close");
  cede(drainMs);
  await net.pass(2 * drainIdleMs);
  expect(await dial("web")).toBeNull();
  expect([pipe?.heard.closed, web?.heard.ended, over()]).toEqual([false, false, false]);
  expect((await say(web, get())).match(/connection: close/g)?.length).toBe(1);
  expect(await say(pipe, "b")).toBe("ab");
  await net.pass(drainMs - 3 * drainIdleMs);
  expect([web?.heard.ended, pipe?.heard.closed, over()]).toEqual([true, false, false]);
  await net.pass(3 * drainIdleMs);
  expect([pipe?.heard.error?.kind, over()]).toEqual(["reset", true]);
});

test("beside a successor it has ended when the last of what was open is over", async () => {
  const { net, dial, say, cede, over, waiting } = await start();
  const old = await dial("web");
  await say(old, get("/later"));
  cede(drainMs);
  await net.pass(1_000);
  expect(over()).toBe(false);
  waiting[0]?.write(answer);
  await net.settle();
  expect(old?.heard.text()).toContain("connection: close");
  old?.socket.destroy();
  await net.pass(limits.lingerMs);
  expect(over()).toBe(true);
});
