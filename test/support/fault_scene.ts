/**
 * One request through whole planes on the network in memory, with a fault at one step of it: how often apps are sent it, and what its
 * caller, the record and the retry budget hear of it.
 */
import type { ConnectOptions, Dial, DialHandler, Net, Socket } from "../../runtime/contract.ts";
import { limits } from "../../src/model/limits.ts";
import type { CompiledRoute } from "../../src/model/snapshot.ts";
import type { TrafficTraits } from "../../src/model/traffic.ts";
import { MemoryApp, MemoryCall, type Step } from "./memory_http.ts";
import { MemoryNet } from "./memory_net.ts";
import { named, Planes } from "./planes.ts";
import { bytesOf } from "./wire.ts";

/** Of an app: status line and fields without framing, then the body. */
export const answer = (head: string, body: string): string =>
  `HTTP/1.1 ${head}\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
const big = limits.replayBodyBytesMax + 1;

export const requests = {
  GET: "GET /x HTTP/1.1\r\nhost: web.mesh\r\n\r\n",
  PUT: `PUT /x HTTP/1.1\r\nhost: web.mesh\r\ncontent-length: 10\r\n\r\n${"x".repeat(10)}`,
  POST: `POST /x HTTP/1.1\r\nhost: web.mesh\r\ncontent-length: 10\r\n\r\n${"x".repeat(10)}`,
  "big PUT": `PUT /x HTTP/1.1\r\nhost: web.mesh\r\ncontent-length: ${big}\r\n\r\n${"x".repeat(big)}`,
} as const;
export type What = keyof typeof requests;

/** What the first app that comes to a step does there. */
export type Act = (socket: Socket, links: readonly Socket[]) => void;
export const says =
  (text: string, end: (socket: Socket) => void = () => {}): Act =>
  (socket) => {
    socket.write(bytesOf(text));
    end(socket);
  };
export const resets = (socket: Socket): void => socket.reset();
export const closes = (socket: Socket): void => socket.shutdown();

export interface Fault {
  readonly at: Step;
  readonly act: Act;
}

/** Keeps the connections that it makes to other machines; may fail their first dial. */
class Links implements Pick<Net, "connect"> {
  readonly open: Socket[] = [];
  failures = 0;

  constructor(readonly net: MemoryNet) {}

  connect(options: ConnectOptions, dial: DialHandler): Dial {
    if (options.tls === undefined) return this.net.connect(options, dial);
    if (this.failures-- > 0) return this.net.connect({ ...options, port: 1 }, dial);
    return this.net.connect(options, {
      failed: (error) => dial.failed(error),
      opened: (socket) => {
        this.open.push(socket);
        return dial.opened(socket);
      },
    });
  }
}

export interface Scene {
  readonly fault?: Fault;
  readonly request: What;
  /** Fields of it, beside Host, as they are written. */
  readonly fields?: string;
  readonly traffic?: TrafficTraits;
  /** How long it is watched. Default: a little longer than its route gives it. */
  readonly passMs?: number;
  /** At so many requests the fault happens. Default: at the first. */
  readonly faults?: number;
  readonly route?: Partial<CompiledRoute>;
  /** Where the service runs beside machine c. */
  readonly place?: "b" | "a alone";
  readonly dialsFail?: number;
  readonly prepare?: (planes: Planes) => Promise<void>;
  readonly retriesUsed?: boolean;
}

export interface Seen {
  /** Length of the body of each request at an app; negative when it did not come to its end. */
  readonly sent: readonly number[];
  readonly status: number;
  readonly whole: boolean;
  readonly flag: string;
  readonly detail: string;
  readonly attempts: readonly string[];
  /** How each call ended at the instance's side. */
  readonly inbound: readonly string[];
  /** Of the attempt, as each app is told it. */
  readonly numbers: readonly string[];
  /** Retries that the budget lost. */
  readonly retries: number;
}

export async function play(scene: Scene): Promise<Seen> {
  const net = new MemoryNet();
  const links = new Links(net);
  let left = scene.faults ?? 1;
  const app = (): MemoryApp =>
    new MemoryApp(net, {
      at: (step, socket) => {
        if (step === scene.fault?.at && left-- > 0) return scene.fault.act(socket, links.open);
        if (step === "whole") socket.write(bytesOf(answer("200 OK", "ok")));
      },
    });
  const one = app();
  const two = app();
  const alone = scene.place === "a alone";
  const proxyNet: Net = {
    listen: (options, accept) => net.listen(options, accept),
    adopt: () => net.adopt(),
    connect: (options, dial) => links.connect(options, dial),
    secureServer: (socket, options, received, dial) => net.secureServer(socket, options, received, dial),
    originalDestination: () => null,
    udp: () => net.udp(),
    adoptUdp: () => net.udp(),
  };
  const caller = { app: 9, upstreams: ["web"] };
  const a = { name: "a", net: proxyNet, services: alone ? { caller, web: { app: one.port } } : { caller } };
  const others = [
    { name: "b", services: { web: { app: one.port } } },
    { name: "c", services: { web: { app: two.port } } },
  ];
  const planes = await Planes.inMemory(net, a, ...(alone ? [] : others));
  await scene.prepare?.(planes);
  const traffic = scene.traffic === undefined ? {} : { traffic: scene.traffic };
  planes.apply({ caller: {}, web: { routes: [{ ...route, ...scene.route }], ...traffic } });
  const { plane, records, port } = planes.machine("a");
  links.failures = scene.dialsFail ?? 0;
  const budget = plane.state?.destinations.get("web.default")?.budget;
  if (budget === undefined) throw new Error("no budget");
  while (scene.retriesUsed === true && budget.take(net.clock.now()));
  let retries = 0;
  const take = budget.take.bind(budget);
  budget.take = (nowMs) => {
    const granted = take(nowMs);
    if (granted) retries++;
    return granted;
  };
  const fields = scene.fields === undefined ? "" : `${scene.fields}\r\n`;
  const sent = requests[scene.request].replace("host: web.mesh\r\n", `host: web.mesh\r\n${fields}`);
  const call = new MemoryCall(net, port("caller", "web"), [sent]);
  await net.pass(scene.passMs ?? timeoutMs + 100);
  const { status, whole } = call.answer;
  const [record] = records.of("outbound");
  const got = [...one.requests, ...two.requests].map((each) => each.body.length * (each.whole ? 1 : -1));
  return {
    sent: got,
    status,
    whole,
    flag: record?.outcome?.flag ?? "",
    detail: record?.outcome?.detail ?? "",
    inbound: planes.machines.flatMap(({ records: each }) =>
      each.of("inbound").map(({ outcome }) => outcome?.flag ?? ""),
    ),
    numbers: [...one.requests, ...two.requests].map(({ fields: each }) => each.get("x-heddle-attempt") ?? ""),
    attempts: record?.attempts.map((each) => each.result) ?? [],
    retries,
  };
}

const timeoutMs = 2_000;
const route: CompiledRoute = {
  name: "all",
  match: { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] },
  backends: [{ service: named("web"), subset: null, weight: 1, invalid: null }],
  requestTimeoutMs: timeoutMs,
  idempotent: false,
  policies: [],
};

/** `sent` counts requests at apps, `~` one that was cut short; then what the caller got, the flag, each attempt, retries spent. */
export function told({ sent, status, whole, flag, attempts, retries }: Seen): string {
  const each = sent.map((length) => (length < 0 ? "~" : "x")).join("");
  const got = whole ? String(status) : `${status} cut`;
  return [each || "-", got, flag || "-", attempts.join(">") || "-", retries].join(" | ");
}
