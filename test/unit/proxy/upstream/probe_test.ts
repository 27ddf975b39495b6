/** Probes of a local app: ready at the first success, unready after two failures in a row, looked at more often while unwell. */
import { describe, expect, test } from "bun:test";
import type { Socket } from "../../../../runtime/contract.ts";
import { limits } from "../../../../src/model/limits.ts";
import { Probe } from "../../../../src/proxy/upstream/probe.ts";
import { MemoryNet } from "../../../support/memory_net.ts";
import { bytesOf } from "../../../support/wire.ts";

const everyMs = 2_000;

/** An app whose answer a test changes; null says nothing, `closes` ends the connection without a word. */
class App {
  answer: string | "closes" | null = "HTTP/1.1 200 OK\r\n\r\n";
  asked: string[] = [];
  open = 0;
  readonly port: number;
  readonly close: () => void;

  constructor(net: MemoryNet) {
    const listener = net.listen({ host: "127.0.0.1", port: 0 }, (socket) => {
      this.open++;
      return {
        data: (chunk) => this.#asked(socket, chunk),
        drain() {},
        end: () => socket.shutdown(),
        close: () => void this.open--,
      };
    });
    this.port = listener.port;
    this.close = () => listener.close();
  }

  #asked(socket: Socket, chunk: Uint8Array): void {
    this.asked.push(Buffer.from(chunk).toString("latin1"));
    if (this.answer === "closes") socket.shutdown();
    else if (this.answer !== null) socket.write(bytesOf(this.answer));
  }
}

function probed(path: string | null): { net: MemoryNet; app: App; probe: Probe; changes: string[] } {
  const net = new MemoryNet();
  const app = new App(net);
  const changes: string[] = [];
  const probe = new Probe({
    net,
    clock: net.clock,
    host: "127.0.0.1",
    port: app.port,
    path,
    grpc: null,
    look: null,
    everyMs,
    changed: (ready, detail) => changes.push(`${ready} ${detail}`),
  });
  return { net, app, probe, changes };
}

describe("a probe by HTTP", () => {
  test("is ready at the first good answer, and says so once", async () => {
    const { net, app, probe, changes } = probed("/healthz");
    await net.pass(3 * everyMs + 10);
    expect([probe.ready, changes]).toEqual([true, ["true the app answers"]]);
    expect(app.asked).toHaveLength(4);
    expect(app.asked[0]).toStartWith("GET /healthz HTTP/1.1\r\n");
    expect(app.open).toBe(0);
  });

  for (const [answer, reason] of [
    ["HTTP/1.1 503 No\r\n\r\n", "/healthz was answered 503"],
    ["HTTP/1.1 404 No\r\n\r\n", "/healthz was answered 404"],
    ["SSH-2.0-x\r\n", "/healthz was not answered in HTTP"],
    ["closes", "the app closed the connection without an answer"],
    [null, `no answer within ${limits.probeTimeoutMs} ms`],
  ] as const)
    test(`${JSON.stringify(answer)} twice in a row makes it unready, once does not`, async () => {
      const { net, app, probe, changes } = probed("/healthz");
      await net.pass(10);
      app.answer = answer;
      const waitsMs = answer === null ? limits.probeTimeoutMs : 0;
      await net.pass(everyMs + waitsMs);
      expect(probe.ready).toBe(true);
      await net.pass(limits.probeUnwellEveryMs + waitsMs);
      expect([probe.ready, changes.at(-1)]).toEqual([false, `false ${reason}`]);
    });

  test("tells why an app that never was ready is not, and tells each new reason once", async () => {
    const { net, app, probe, changes } = probed("/healthz");
    app.answer = "HTTP/1.1 404 No\r\n\r\n";
    await net.pass(4 * everyMs);
    expect([probe.ready, probe.problem, changes]).toEqual([
      false,
      "/healthz was answered 404",
      ["false /healthz was answered 404"],
    ]);
    app.answer = "closes";
    await net.pass(everyMs);
    expect(changes).toHaveLength(2);
    app.answer = "HTTP/1.1 200 OK\r\n\r\n";
    await net.pass(everyMs);
    expect([probe.ready, probe.problem, changes.at(-1)]).toEqual([true, null, "true the app answers"]);
  });

  test("takes 2xx and 3xx for well", async () => {
    for (const status of [204, 301]) {
      const { net, app, probe } = probed("/");
      app.answer = `HTTP/1.0 ${status} X\r\n\r\n`;
      await net.pass(10);
      expect(probe.ready).toBe(true);
    }
  });

  test("is back soon after its app is", async () => {
    const { net, app, probe } = probed("/healthz");
    app.answer = "closes";
    await net.pass(5 * everyMs);
    expect(probe.ready).toBe(false);
    app.answer = "HTTP/1.1 200 OK\r\n\r\n";
    await net.pass(limits.probeUnwellEveryMs + 10);
    expect(probe.ready).toBe(true);
  });

  test("hears nothing more once it is closed", async () => {
    const { net, app, probe, changes } = probed("/healthz");
    probe.close();
    await net.pass(5 * everyMs);
    expect([probe.ready, changes, app.asked.length, app.open]).toEqual([false, [], 1, 0]);
  });
});

describe("a probe by a connect", () => {
  test("is ready when somebody accepts, and unready when nobody does", async () => {
    const { net, app, probe, changes } = probed(null);
    await net.pass(10);
    expect([probe.ready, app.asked, app.open]).toEqual([true, [], 0]);
    app.close();
    await net.pass(everyMs + limits.probeUnwellEveryMs + 10);
    expect([probe.ready, changes.at(-1)]).toEqual([
      false,
      expect.stringContaining("false nothing listens on "),
    ]);
  });
});
