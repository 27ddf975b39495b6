/** Streams that are open, by kind: counted on both sides of the mesh from their head to their end, also over a new snapshot. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { exposeStreams } from "../../../../src/app/proxy_metrics.ts";
import type { ServerExchange } from "../../../../src/http/exchange.ts";
import type { Http2Client } from "../../../../src/http/h2_client.ts";
import { streamOf } from "../../../../src/proxy/answer/open_streams.ts";
import { Metrics } from "../../../../src/telemetry/metrics.ts";
import { noEdits, type FieldEdits, type Fields } from "../../../../src/wire/fields.ts";
import { dialHttp2, Heard, request, serve } from "../../../support/http_relay.ts";
import { openTo } from "../../../support/opaque.ts";
import { Planes, runtime, type TestMachine } from "../../../support/planes.ts";
import { hasPromtool, promtoolFindings } from "../../../support/promtool.ts";
import { listen, until } from "../../../support/sockets.ts";

const destinations = { web: { protocol: "http2" }, db: { protocol: "tcp" } } as const;
const exchanges: ServerExchange[] = [];
const web = serve(runtime, (exchange) => void exchanges.push(exchange));
const db = listen(runtime);
let planes: Planes;
let caller: TestMachine;
let client: Http2Client;

beforeAll(async () => {
  planes = await Planes.start(
    { name: "a", services: { caller: { app: 9, upstreams: ["db"] } } },
    { name: "b", services: { web: { app: web.port }, db: { app: db.port } } },
  );
  planes.apply(destinations);
  caller = planes.machine("a");
  client = await dialHttp2(runtime, caller.port("caller"));
});
afterAll(async () => {
  client.destroy();
  await planes.close();
  web.close();
  db.listener.close();
});

/** The samples of both machines, without their common beginning. */
function exposed(): string[] {
  return planes.machines.flatMap(({ plane }) => {
    const metrics = new Metrics();
    exposeStreams(metrics, plane);
    const text = metrics.expose();
    if (hasPromtool && text.trim() !== "") expect(promtoolFindings(text)).toBe("");
    return [...text.matchAll(/^heddle_streams_open\{(.*)\} (\d+)$/gm)].map((each) => `${each[1]} ${each[2]}`);
  });
}

const sample = (direction: string, service: string, kind: string, count: number): string =>
  `direction="${direction}",service="${service}.default",kind="${kind}" ${count}`;

function expectOpen(service: string, kind: string, count: number): Promise<void> {
  const wanted = ["outbound", "inbound"].map((direction) => sample(direction, service, kind, count));
  return until(() => {
    const all = exposed();
    return wanted.every((each) => all.includes(each));
  }, `${count} open of kind ${kind}`);
}

const typed = (type: string): FieldEdits => ({ remove: [], set: ["content-type", type], add: [] });

/** A call that the app answers with a head of this status and type, and no end. */
async function open(changes: Parameters<typeof request>[0], sent: FieldEdits, status: number, type: string) {
  const since = exchanges.length;
  const heard = new Heard();
  const stream = client.start(request({ authority: "web.mesh", ...changes }), sent, heard);
  if (changes?.upgrade === undefined) stream.end(null);
  await until(() => exchanges.length > since, "the app has the call");
  const app = exchanges[since] as ServerExchange;
  app.accept({ data() {}, end() {}, aborted() {}, writable() {} });
  app.respond(status, null, typed(type), -1);
  await until(() => heard.answer !== null, "the head comes");
  return { app, heard, stream };
}

test("an event stream, a WebSocket and a gRPC call count while they are open, and an ordinary answer never", async () => {
  const plain = await open({}, noEdits, 200, "text/plain");
  expect(exposed()).toEqual([]);
  const events = await open({}, noEdits, 200, "text/event-stream; charset=utf-8");
  await expectOpen("web", "sse", 1);
  const more = await open({}, noEdits, 200, "text/event-stream");
  await expectOpen("web", "sse", 2);
  const post = { method: "POST", contentLength: -1 } as const;
  const grpc = await open(post, typed("application/grpc"), 200, "application/grpc");
  await expectOpen("web", "grpc", 1);
  const socket = await open({ upgrade: "websocket" }, noEdits, 101, "x/y");
  await expectOpen("web", "ws", 1);
  planes.apply(destinations);
  await expectOpen("web", "sse", 2);
  for (const { app } of [plain, events, grpc]) app.end(null);
  await expectOpen("web", "sse", 1);
  await expectOpen("web", "grpc", 0);
  more.stream.cancel();
  await expectOpen("web", "sse", 0);
  socket.app.abort();
  await expectOpen("web", "ws", 0);
});

test("an opaque connection counts while it stands", async () => {
  const one = await openTo(caller, "db", db);
  const other = await openTo(caller, "db", db);
  await expectOpen("db", "tcp", 2);
  one.client.socket.reset();
  await expectOpen("db", "tcp", 1);
  other.app.socket.shutdown();
  other.client.socket.shutdown();
  await expectOpen("db", "tcp", 0);
});

test("a stream is told by its media type in any case, whatever follows it, and by no length", () => {
  const kindOf = (type: string | null, contentLength = -1): string | null => {
    const fields = { get: () => type } as unknown as Fields;
    return streamOf(
      { status: 200, fields, contentLength, tunnel: false, nominated: null, whole: false },
      null,
      false,
    );
  };
  const types = {
    "text/event-stream": "sse",
    "Text/Event-Stream;x=1": "sse",
    "text/event-streams": null,
    "application/text/event-stream": null,
    "application/grpc": "grpc",
    "Application/GRPC+proto": "grpc",
    "application/grpc-web": null,
    "application/json": null,
  };
  for (const [type, kind] of Object.entries(types)) expect([type, kindOf(type)]).toEqual([type, kind]);
  expect([kindOf(null), kindOf("text/event-stream", 10)]).toEqual([null, null]);
});
