/**
 * Calls through whole planes in memory, in HTTP/1.1, HTTP/2 or gRPC, to two apps made of bytes of which the first that is called may
 * stop anywhere or answer something else.
 */
import type { ClientConnection } from "../../src/http/exchange.ts";
import { Http1Client } from "../../src/http/h1_client.ts";
import { Shard } from "../../src/http/shard.ts";
import type { ServiceTraits } from "../../src/model/service_traits.ts";
import type { TrafficTraits } from "../../src/model/traffic.ts";
import { noEdits } from "../../src/wire/fields.ts";
import { frameTypes } from "../../src/wire/h2/frames.ts";
import { profiles } from "../../src/wire/h2/settings.ts";
import {
  CutApp,
  isBegunHttp2,
  isWholeHttp1,
  isWholeHttp2,
  type Cut,
  type CutAppOptions,
  type CutPlan,
} from "./cut_app.ts";
import { concat, data, frame, headers, settings } from "./h2_frames.ts";
import { dialHttp2, Heard, request } from "./http_relay.ts";
import { MemoryNet } from "./memory_net.ts";
import { hangMs } from "./patience.ts";
import { Planes, type TestMachine } from "./planes.ts";
import { bytesOf, fieldsOf } from "./wire.ts";

export const said = "0123456789";
const requestTimeoutMs = 300;
const acknowledged = frame(frameTypes.settings, 1, 0);

export interface Speech {
  readonly protocol: ServiceTraits["protocol"];
  readonly app: CutAppOptions;
  readonly grpc: boolean;
}

const inHttp2 = { isWhole: isWholeHttp2, isBegun: isBegunHttp2 };
export const speeches: Readonly<Record<string, Speech>> = {
  "HTTP/1.1": {
    protocol: "http",
    grpc: false,
    app: {
      answer: bytesOf(`HTTP/1.1 200 OK\r\ncontent-length: ${said.length}\r\n\r\n${said}`),
      isWhole: isWholeHttp1,
      isBegun: (received) => received.length > 0,
    },
  },
  "HTTP/1.1 in chunks": {
    protocol: "http",
    grpc: false,
    app: {
      answer: bytesOf(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na\r\n${said}\r\n0\r\n\r\n`),
      isWhole: isWholeHttp1,
      isBegun: (received) => received.length > 0,
    },
  },
  "HTTP/2": {
    protocol: "http2",
    grpc: false,
    app: {
      ...inHttp2,
      answer: concat(
        ...[settings(), acknowledged, headers(1, [[":status", "200"]], false)],
        ...[data(1, said.slice(0, 4)), data(1, said.slice(4), true)],
      ),
    },
  },
  gRPC: {
    protocol: "grpc",
    grpc: true,
    app: {
      ...inHttp2,
      answer: concat(
        ...[settings(), acknowledged],
        headers(
          1,
          [
            [":status", "200"],
            ["content-type", "application/grpc"],
          ],
          false,
        ),
        ...[data(1, said), headers(1, [["grpc-status", "0"]])],
      ),
    },
  },
};

/** Two instances behind planes, and a client that makes one call after the other. */
export class CutScene {
  readonly net = new MemoryNet();
  readonly plan: CutPlan = { cut: null };
  readonly apps: readonly CutApp[];
  readonly shard = new Shard(this.net.clock);
  #caller: TestMachine | null = null;

  constructor(
    readonly speech: Speech,
    /** The app runs on the caller's machine, alone. */
    readonly here: boolean,
    readonly traffic: TrafficTraits = {},
  ) {
    this.apps = [1, 2].map(() => new CutApp(this.net, this.plan, speech.app));
  }

  async start(): Promise<this> {
    const [one, two] = this.apps.map(({ port }) => ({ web: { app: port } }));
    const caller = { caller: { app: 9, upstreams: ["web"] } };
    const machines = this.here
      ? [{ name: "a", services: { ...caller, ...one } }]
      : [
          { name: "a", services: caller },
          { name: "b", services: one ?? {} },
          { name: "c", services: two ?? {} },
        ];
    const planes = await Planes.inMemory(this.net, ...machines);
    const traffic: TrafficTraits = {
      timeouts: { requestMs: requestTimeoutMs },
      // What one call meets must say nothing about the next one.
      circuitBreaking: { ejectedPercent: 0 },
      retryBudget: { min: 10_000 },
      ...this.traffic,
    };
    planes.apply({ caller: {}, web: { protocol: this.speech.protocol, traffic } });
    this.#caller = planes.machine("a");
    return this;
  }

  get caller(): TestMachine {
    if (this.#caller === null) throw new Error("not started");
    return this.#caller;
  }

  get #port(): number {
    return this.caller.port("caller", "web");
  }

  /** `more`: fields of a call of gRPC, beside its own. The call that meets this fault, and how many requests the apps met. */
  async call(
    method: string,
    cut: Cut | null,
    more: readonly string[] = [],
  ): Promise<{ readonly heard: Heard; readonly begun: number }> {
    this.plan.cut = cut;
    const heard = new Heard();
    const connection = await this.#dial();
    const { grpc } = this.speech;
    const body = method === "GET" && !grpc ? "" : said;
    const fields = grpc ? fieldsOf("content-type: application/grpc", "te: trailers", ...more) : null;
    const asked = { method, authority: "web.mesh", contentLength: grpc ? -1 : body.length };
    const stream = this.#inside(() => connection.start(request({ ...asked, fields }), noEdits, heard));
    // Byte by byte, so that the app can be at each of them.
    for (const byte of body) {
      await this.net.settle();
      this.#inside(() => stream.write(bytesOf(byte)));
    }
    this.#inside(() => stream.end(null));
    await this.net.settle();
    if (!heard.over) await this.net.pass(2 * requestTimeoutMs);
    connection.destroy();
    await this.net.settle();
    const begun = this.apps.reduce((sum, app) => sum + app.begun, 0);
    for (const app of this.apps) app.forget();
    await this.net.settle();
    return { heard, begun };
  }

  #inside<Value>(act: () => Value): Value {
    this.shard.enter();
    const value = act();
    this.shard.leave();
    return value;
  }

  async #dial(): Promise<ClientConnection> {
    const { net, shard } = this;
    if (this.speech.protocol !== "http") {
      const dialled = dialHttp2({ net, clock: net.clock }, this.#port, { profile: profiles.app, shard });
      await net.settle();
      return await dialled;
    }
    let client: Http1Client | null = null;
    net.connect(
      { host: "127.0.0.1", port: this.#port, timeoutMs: hangMs },
      {
        opened: (socket) => {
          client = new Http1Client(socket, { shard, peer: "a", onIdle: () => {}, onRetired: () => {} });
          return client.handler;
        },
        failed: () => {},
      },
    );
    await net.settle();
    if (client === null) throw new Error("no connection");
    return client;
  }
}
