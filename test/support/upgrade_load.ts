/**
 * Steady requests and long streams of every kind at the outbound ports of a proxy, none tried again: what was lost is said as JSON at
 * the end, which is when the file that is named is there. Run it with the ports of HTTP, gRPC and plain bytes, the file, and how many
 * requests a second are due; without that, as many as a busy machine answers.
 */
import { existsSync } from "node:fs";
import { connect } from "node:http2";
import { SteadyLoad } from "./steady_load.ts";

const [http = 0, grpc = 0, pipe = 0] = process.argv.slice(2, 5).map(Number);
const end = process.argv[5] as string;
const host = "127.0.0.1";
const everyMs = 100;
const wanted = Number(process.argv[6] ?? 0);
/** Those that are due are, however long answers take: so many connections that each has as long as this for one. */
const dueEveryMs = 100;
const pace =
  wanted > 0
    ? { connections: Math.ceil((wanted * dueEveryMs) / 1_000), everyMs: dueEveryMs, steady: true }
    : { connections: 40, everyMs: 18 };
/** How long a stream lives, and how often another one of each kind begins; the first of each lives to the end. */
const [lifeMs, nextMs] = [8_000, 4_000];

export interface UpgradeLoadSaid {
  readonly answered: number;
  readonly perSecond: number;
  readonly failures: readonly string[];
  /** By kind: how many began. */
  readonly streams: Readonly<Record<string, number>>;
  /** Those that ended before their clients wanted it, or were not whole. */
  readonly cut: readonly string[];
}

const streams: Record<string, number> = {};
const cut: string[] = [];
let over = false;

/** One stream: something goes there and comes back again and again; resolves when its client has ended it. */
type Stream = (ended: () => boolean) => Promise<string | null>;

const tick = (): Promise<void> => Bun.sleep(everyMs);

const events: Stream = async (ended) => {
  const answer = await fetch(`http://${host}:${http}/events`, { keepalive: false });
  const reader = answer.body?.getReader();
  let [text, count] = ["", 0];
  while (reader !== undefined && !ended()) {
    const { value, done } = await reader.read();
    if (done) return `it ended after ${count} events`;
    text += new TextDecoder().decode(value);
    const lines = text.split("\n\n");
    text = lines.pop() ?? "";
    for (const line of lines) if (line !== `data: ${count++}`) return `${line} came as number ${count - 1}`;
  }
  await reader?.cancel();
  return count > 0 ? null : "no event came";
};

const socket: Stream = async (ended) => {
  const line = new WebSocket(`ws://${host}:${http}/socket`);
  let [sent, heard] = [0, 0];
  let problem: string | null = null;
  const closed = Promise.withResolvers<void>();
  line.onmessage = ({ data }) => void (Number(data) !== heard++ && (problem = `${data} came as ${heard}`));
  line.onclose = ({ code }) => {
    if (!ended()) problem ??= `it was closed with ${code} after ${heard} messages`;
    closed.resolve();
  };
  await new Promise((done) => ((line.onopen = done), (line.onerror = done)));
  while (!ended() && problem === null) {
    line.send(String(sent++));
    await tick();
  }
  line.close();
  await closed.promise;
  return problem ?? (heard > 0 ? null : "nothing came back");
};

const calls: Stream = async (ended) => {
  const session = connect(`http://${host}:${grpc}`);
  let problem: string | null = null;
  session.on("error", (error) => (problem ??= error.message));
  const stream = session.request({
    ":method": "POST",
    ":path": "/test.Chat/Talk",
    "content-type": "application/grpc",
    te: "trailers",
  });
  let [sent, heard, status] = [0, 0, ""];
  stream.on("data", (chunk: Uint8Array) => void (heard += chunk.length));
  stream.on("trailers", (fields) => void (status = String(fields["grpc-status"])));
  stream.on("error", (error: Error) => (problem ??= error.message));
  const closed = new Promise((done) => stream.on("close", done));
  while (!ended() && problem === null && !stream.closed) {
    stream.write(new Uint8Array([0, 0, 0, 0, 3, 1, 2, 3]));
    sent += 8;
    await tick();
  }
  if (!ended()) problem ??= `it was closed after ${heard} bytes`;
  stream.end();
  await closed;
  session.close();
  return problem ?? (heard === sent && status === "0" ? null : `${heard} of ${sent} bytes, status ${status}`);
};

/** By hand: clients of libraries have limits of their own. */
const upload: Stream = async (ended) => {
  let [sent, said, over] = [0, "", false];
  const closed = Promise.withResolvers<void>();
  const line = await Bun.connect({
    hostname: host,
    port: http,
    socket: {
      data: (_socket, chunk) => void (said += chunk.toString("latin1")),
      close: () => closed.resolve(),
    },
  });
  void closed.promise.then(() => (over = true));
  line.write(
    "POST /upload HTTP/1.1\r\nhost: orders.mesh\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n",
  );
  const chunk = `3e8\r\n${"x".repeat(1_000)}\r\n`;
  while (!ended() && !over) {
    if (line.write(chunk) !== chunk.length) return `a chunk was not taken after ${sent} bytes`;
    sent += 1_000;
    await tick();
  }
  line.write("0\r\n\r\n");
  await closed.promise;
  return said.startsWith("HTTP/1.1 200") && said.includes(`\r\n\r\n${sent}`) ? null : `${said} of ${sent}`;
};

const bytes: Stream = async (ended) => {
  let [sent, heard] = [0, 0];
  let problem: string | null = null;
  const line = await Bun.connect({
    hostname: host,
    port: pipe,
    socket: {
      data: (_socket, chunk) => void (heard += chunk.length),
      close: () => void (!ended() && (problem ??= `it was closed after ${heard} bytes`)),
    },
  });
  // The first one says nothing for long: an idle connection is none that nobody wants.
  const quiet = (streams["bytes"] ?? 0) === 1;
  while (!ended() && problem === null) {
    if (!quiet || sent < 100) sent += line.write(new Uint8Array(100));
    await tick();
  }
  line.write("!");
  for (let tries = 0; heard < sent + 1 && tries < 100; tries++) await tick();
  line.end();
  return problem ?? (heard === sent + 1 ? null : `${heard} of ${sent + 1} bytes`);
};

const kinds: Readonly<Record<string, Stream>> = { events, socket, calls, upload, bytes };
const running: Promise<void>[] = [];

function begin(toTheEnd: boolean): void {
  for (const [kind, stream] of Object.entries(kinds)) {
    const number = (streams[kind] = (streams[kind] ?? 0) + 1);
    const untilMs = performance.now() + (toTheEnd ? Infinity : lifeMs);
    const ended = (): boolean => over || performance.now() > untilMs;
    const failed = (error: Error): string => error.message;
    running.push(
      stream(ended)
        .catch(failed)
        .then((problem) => void (problem !== null && cut.push(`${kind} ${number}: ${problem}`))),
    );
  }
}

const load = new SteadyLoad({
  ...{ host, port: http, authority: "orders.mesh", path: "/hello" },
  ...pace,
}).start();
const startedMs = performance.now();
begin(true);
let nextAtMs = startedMs + nextMs;
while (!existsSync(end)) {
  await tick();
  if (performance.now() < nextAtMs) continue;
  nextAtMs += nextMs;
  begin(false);
}
over = true;
await Promise.all([load.stop(), ...running]);
const said: UpgradeLoadSaid = {
  answered: load.answered,
  perSecond: Math.round((load.answered * 1_000) / (performance.now() - startedMs)),
  failures: load.failures.map(({ kind, detail }) => `${kind}: ${detail}`),
  streams,
  cut,
};
console.log(JSON.stringify(said));
process.exit(0);
