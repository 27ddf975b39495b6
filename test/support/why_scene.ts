/** A caller and a service on machines in memory, whose proxies remember what went on; and the command that explains it. */
import type { RequestLine } from "../../src/model/evidence.ts";
import { requestAnswering } from "../../src/app/request_answer.ts";
import { storyOf, type Seen, type Story } from "../../src/cli/why/story.ts";
import type { PolicyChain } from "../../src/policy/chain.ts";
import { AccessLog } from "../../src/telemetry/access_log.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { ProxyTelemetry } from "../../src/telemetry/proxy_telemetry.ts";
import { MemoryApp, MemoryCall, type MemoryAppOptions } from "./memory_http.ts";
import { MemoryNet } from "./memory_net.ts";
import { Planes, type DestinationPlan } from "./planes.ts";
import { bytesOf } from "./wire.ts";

export const okAnswer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

export interface WhyPlan {
  readonly web?: DestinationPlan;
  readonly policies?: PolicyChain;
  /** What the app does; default: it answers. */
  readonly app?: MemoryAppOptions["at"];
  /** Where `web` runs; default: on b. `[]`: nowhere. */
  readonly machines?: readonly string[];
}

function telemetryUnderTest(): ProxyTelemetry {
  return new ProxyTelemetry(
    new Metrics(),
    new AccessLog({ sampleRatio: 0, slowMs: 1_000, write: () => {}, wallMs: () => 0 }),
  );
}

export class WhyScene {
  readonly net = new MemoryNet();
  readonly telemetry = new Map<string, ProxyTelemetry>();
  readonly apps: MemoryApp[] = [];
  planes!: Planes;

  static async start({ web = {}, policies, app, machines = ["b"] }: WhyPlan): Promise<WhyScene> {
    const scene = new WhyScene();
    const answers: MemoryAppOptions["at"] = (step, socket) => {
      if (step === "whole") socket.write(bytesOf(okAnswer));
    };
    const recorderOf = (name: string): ProxyTelemetry => {
      const telemetry = telemetryUnderTest();
      scene.telemetry.set(name, telemetry);
      return telemetry;
    };
    const others = machines.map((name) => {
      const own = new MemoryApp(scene.net, { at: app ?? answers });
      scene.apps.push(own);
      return { name, services: { web: { app: own.port } }, recorder: recorderOf(name) };
    });
    const caller = { caller: { app: 9, upstreams: ["web"] } };
    const a = { name: "a", services: caller, recorder: recorderOf("a") };
    scene.planes = await Planes.inMemory(
      scene.net,
      policies === undefined ? a : { ...a, policies },
      ...others,
    );
    scene.planes.apply({ caller: {}, web });
    return scene;
  }

  /** Sends a request with this id from machine a; `by`: the listener for all names. */
  async call(
    requestId: string,
    head = "GET /v1/x HTTP/1.1",
    by: "web" | "name" = "web",
  ): Promise<MemoryCall> {
    const port = this.planes.machine("a").port("caller", by === "web" ? "web" : undefined);
    const call = new MemoryCall(this.net, port, [
      `${head}\r\nhost: web.mesh\r\nx-request-id: ${requestId}\r\n\r\n`,
    ]);
    await this.net.settle();
    return call;
  }

  /** What all machines answer to the question. */
  seen(requestId: string): Seen[] {
    return this.planes.machines.flatMap(({ plan: { name }, plane }) => {
      const lines: Seen[] = [];
      const answering = requestAnswering(this.telemetry.get(name) as ProxyTelemetry, plane, this.net.clock);
      const reply = {
        line: (line: unknown) => void lines.push({ machine: name, ...(line as RequestLine) }),
        lost() {},
        end() {},
      };
      answering({ what: "request", id: requestId }, reply);
      return JSON.parse(JSON.stringify(lines)) as Seen[];
    });
  }

  story(requestId: string): Story {
    return storyOf(this.seen(requestId));
  }
}
