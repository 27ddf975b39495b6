/** What began under a version of a policy ends under it: streams of HTTP/2, gRPC and events, through a rollout, a promotion and a push. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import {
  connect,
  createServer,
  type ClientHttp2Session,
  type Http2Server,
  type ServerHttp2Stream,
} from "node:http2";
import { binaryMissing } from "../../compile/repository.ts";
import { callByName } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";
import { waitFor } from "../support/processes.ts";

const webPort = 8_310;
const greeterPort = 8_311;
const documents = `{kind: Service, name: frontend, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http, policies: [{use: stamp}]}
---
{kind: Service, name: greeter, port: 80, protocol: grpc, policies: [{use: stamp}]}
`;

/** Says its version in the head of each answer, and in each event. */
const stamp = (version: string): string => `import { definePolicy, pass } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "stamp", version: "${version}", options: v.strictObject({}), onError: "closed",
  onResponse() { return pass({ headers: { set: { "x-stamp": "${version}" } } }); },
  onEvent(event) { return { ...event, data: event.data + " ${version}" }; },
});
`;

/** An app whose answers wait until the test says so, and whose events come when it says so. */
class HeldApp {
  readonly #held = new Map<string, () => void>();
  readonly #events = new Map<string, (data: string) => void>();
  readonly #web;
  readonly #greeter: Http2Server = createServer();

  constructor(hostname: string) {
    this.#web = Bun.serve({
      hostname,
      port: webPort,
      idleTimeout: 0,
      fetch: (request) => this.#answer(request),
    });
    this.#greeter.on("stream", (stream: ServerHttp2Stream, headers) => {
      stream.on("error", () => {});
      this.#held.set(String(headers["x-id"]), () => {
        stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
        stream.end(new Uint8Array([0, 0, 0, 0, 0]));
      });
    });
    this.#greeter.listen(greeterPort, hostname);
  }

  #answer(request: Request): Response | Promise<Response> {
    const id = request.headers.get("x-id") ?? "";
    if (id === "") return new Response("at once");
    if (!id.startsWith("events"))
      return new Promise((resolve) => this.#held.set(id, () => resolve(new Response("at last"))));
    const body = new ReadableStream({
      start: (controller) => {
        this.#events.set(id, (data) => controller.enqueue(new TextEncoder().encode(`data: ${data}\n\n`)));
        controller.enqueue(new TextEncoder().encode("data: first\n\n"));
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  has(id: string): boolean {
    return this.#held.has(id);
  }

  answer(id: string): void {
    this.#held.get(id)?.();
  }

  send(id: string, data: string): void {
    this.#events.get(id)?.(data);
  }

  async stop(): Promise<void> {
    await this.#web.stop(true);
    this.#greeter.close();
  }
}

/** One stream of the client. */
class Asked {
  stamp = "";
  text = "";
  ended = false;
  problem = "";

  constructor(session: ClientHttp2Session, authority: string, id: string) {
    const grpc = { "content-type": "application/grpc", te: "trailers" };
    const stream = session.request({
      ...{ ":method": "POST", ":path": "/greet.Greeter/Say", ":authority": authority, "x-id": id },
      ...(authority.startsWith("greeter") ? grpc : {}),
    });
    stream.on("response", (headers) => (this.stamp = String(headers["x-stamp"])));
    stream.on("data", (bytes: Uint8Array) => (this.text += new TextDecoder().decode(bytes)));
    stream.on("end", () => (this.ended = true));
    stream.on("error", (error: Error) => (this.problem = error.message));
    stream.end();
  }
}

describe.skipIf(binaryMissing)("a stream keeps the version of a policy that it began with", () => {
  let mesh: Mesh;
  let app: HeldApp;
  let session: ClientHttp2Session;

  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      policies: { "stamp.ts": stamp("1.0.0") },
      machines: [
        {
          name: "vm-a",
          services: [{ service: "frontend", app: "none", calls: { web: "by-name", greeter: "by-name" } }],
        },
        {
          name: "vm-b",
          services: [
            { service: "web", app: "none", port: webPort },
            { service: "greeter", app: "none", port: greeterPort },
          ],
        },
      ],
    });
    app = new HeldApp(mesh.machine("vm-b").address);
    const { address } = mesh.machine("vm-a");
    session = connect(`http://${address}:${mesh.machine("vm-a").httpPort("frontend")}`);
    session.on("error", () => {});
  }, testMs);
  afterAll(async () => {
    session?.destroy();
    await mesh?.stop();
    await app?.stop();
  });

  const untilNewOnesGet = (version: string): Promise<true> =>
    waitFor(`new requests get ${version}`, async () => {
      const { status, headers } = await callByName(mesh.machine("vm-a"), "frontend", "web");
      return status === 200 && headers.get("x-stamp") === version ? true : null;
    });
  const push = (version: string, ...flags: readonly string[]): void => {
    const folder = `${mesh.folder}/pushed`;
    mkdirSync(`${folder}/policies`, { recursive: true });
    writeFileSync(`${folder}/policies/stamp.ts`, stamp(version));
    mesh.heddle("policy", "push", folder, ...flags);
  };

  /** One of each kind, of which the app knows. */
  async function opened(round: number) {
    const [plain, grpc, events] = ["plain", "grpc", "events"].map((kind) => `${kind}-${round}`) as [
      string,
      string,
      string,
    ];
    const asked = {
      plain: new Asked(session, "web.mesh", plain),
      grpc: new Asked(session, "greeter.mesh", grpc),
      events: new Asked(session, "web.mesh", events),
    };
    await waitFor(`the streams of round ${round} are open`, () =>
      app.has(plain) && app.has(grpc) && asked.events.text !== "" ? true : null,
    );
    return { ...asked, answer: () => [plain, grpc].forEach((id) => app.answer(id)), id: events };
  }

  test(
    "through a rollout to all, a promotion and a push of yet another one",
    async () => {
      await untilNewOnesGet("1.0.0");
      const first = await opened(1);
      push("2.0.0", "--percent", "100");
      await untilNewOnesGet("2.0.0");
      const second = await opened(2);
      app.send(first.id, "during the rollout");
      mesh.heddle("policy", "promote", "stamp");
      push("3.0.0");
      await untilNewOnesGet("3.0.0");
      for (const [round, version] of [
        [first, "1.0.0"],
        [second, "2.0.0"],
      ] as const) {
        app.send(round.id, "at last");
        round.answer();
        await waitFor(`what began under ${version} is answered`, () =>
          round.plain.ended && round.grpc.ended && round.events.text.includes("at last") ? true : null,
        );
        const stamps = [round.plain, round.grpc, round.events].map((each) => each.stamp + each.problem);
        expect(stamps).toEqual([version, version, version]);
        const sent = [...round.events.text.matchAll(/data: .*? (\d\.\d\.\d)\n/g)].map(([, each]) => each);
        expect(sent).toEqual(round === first ? [version, version, version] : [version, version]);
      }
    },
    testMs,
  );
});
