/**
 * Streams that stay open for long, to be run by Node: `run_streams.ts <ms> <host> <port> <http> <grpc>`, the last two being the
 * authorities of a service of each kind. Opens them all, and prints for each what it lost, in words; "" when it lost nothing.
 */
import http2 from "node:http2";
import { heard, TestClient } from "../grpc/client.ts";
import { connect } from "./calls.ts";
import { opcodes, encodeFrame, FrameReader, openSocket, type Way } from "./ws_frames.ts";

const eventMs = 20;
/** What is sent every 20 ms is heard at least so often, on a machine that is busy with other things. */
const heldMaxMs = 2_000;
const [ms = "0", host = "", port = "0", httpAuthority = "", grpcAuthority = ""] = process.argv.slice(2);
const lastsMs = Number(ms);
const count = Math.floor(lastsMs / eventMs);

function problem(what: string, got: readonly string[], wanted: (at: number) => string): string {
  const wrong = got.findIndex((each, at) => each !== wanted(at));
  if (wrong >= 0) return `${what} ${wrong} is ${got[wrong]}`;
  return got.length === count ? "" : `${got.length} of ${count} ${what}s came`;
}

/** The longest time that nothing was heard. */
class Held {
  mostMs = 0;
  #lastMs = performance.now();

  heard(): void {
    const nowMs = performance.now();
    this.mostMs = Math.max(this.mostMs, nowMs - this.#lastMs);
    this.#lastMs = nowMs;
  }
}

async function events(version: Way): Promise<string> {
  const caller = connect(version, host, Number(port), httpAuthority);
  const held = new Held();
  const path = `/events?ms=${eventMs}&count=${count}`;
  const { status, body } = await caller.call({ path }, () => held.heard());
  if (status !== 200) return `answered ${status}`;
  if (held.mostMs > heldMaxMs) return `events were held back for ${held.mostMs} ms`;
  return problem("event", body.split("\n\n").slice(0, -1), (at) => `id: ${at}\ndata: event ${at}`);
}

/** One request that waits for its answer all the time. */
async function longPoll(version: Way): Promise<string> {
  const caller = connect(version, host, Number(port), httpAuthority);
  const { status, body } = await caller.call({ path: `/poll?ms=${lastsMs}` });
  return status === 200 && body === "polled" ? "" : `answered ${status} ${body}`;
}

function tick(send: (at: number) => void, end: () => void): void {
  let at = 0;
  const timer = setInterval(() => {
    if (at < count) return send(at++);
    clearInterval(timer);
    end();
  }, eventMs);
}

async function sockets(way: Way): Promise<string> {
  const socket = await openSocket(way, host, Number(port), httpAuthority);
  const reader = new FrameReader();
  return new Promise((resolve) => {
    const frame = (at: number) => ({ opcode: opcodes.text, payload: Buffer.from(`${at}`) });
    const end = (): void =>
      resolve(
        problem("message", reader.lines, (at) => {
          const { payload } = frame(at);
          return `1 ${payload.length} ${payload.toString("hex")}`;
        }),
      );
    const held = new Held();
    socket.on("data", (chunk: Buffer) => {
      held.heard();
      if (held.mostMs > heldMaxMs) return resolve(`messages were held back for ${held.mostMs} ms`);
      reader.take(chunk);
      if (reader.lines.length === count) end();
    });
    socket.on("error", (error) => resolve(error.message));
    socket.on("close", end);
    tick(
      (at) => socket.write(encodeFrame(frame(at))),
      () => {},
    );
  });
}

async function grpcStream(): Promise<string> {
  const client = new TestClient(`ipv4:${host}:${port}`, grpcAuthority);
  const call = client.duplex();
  const held = new Held();
  const over = heard(call, () => held.heard());
  tick(
    (at) => call.write({ sizes: [10], payload: "x".repeat(at) }),
    () => call.end(),
  );
  const { code, details, replies } = await over;
  if (code !== 0) return `ended with ${code} ${details} after ${replies.length}`;
  if (held.mostMs > heldMaxMs) return `replies were held back for ${held.mostMs} ms`;
  return problem(
    "reply",
    replies.map(({ total }) => String(total)),
    String,
  );
}

/** What one side sends slowly: a body that grows with each tick and comes back. */
function slowUpload(): Promise<string> {
  return new Promise((resolve) => {
    const session = http2.connect(`http://${host}:${port}`);
    const head = { ":method": "POST", ":path": "/echo", ":authority": httpAuthority };
    const stream = session.request(head, { endStream: false });
    let text = "";
    stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
    stream.on("error", (error) => resolve(error.message));
    stream.on("end", () => {
      session.close();
      resolve(problem("line", text.split("\n").slice(0, -1), String));
    });
    tick(
      (at) => stream.write(`${at}\n`),
      () => stream.end(),
    );
  });
}

const streams: Readonly<Record<string, () => Promise<string>>> = {
  "events over HTTP/1.1": () => events("http/1.1"),
  "events over HTTP/2": () => events("h2"),
  "a long poll over HTTP/1.1": () => longPoll("http/1.1"),
  "a long poll over HTTP/2": () => longPoll("h2"),
  "a WebSocket over HTTP/1.1": () => sockets("http/1.1"),
  "a WebSocket over HTTP/2": () => sockets("h2"),
  "a gRPC stream": grpcStream,
  "a slow upload": slowUpload,
};
const lost = await Promise.all(
  Object.entries(streams).map(async ([name, run]) => [
    name,
    await run().catch((error: Error) => `failed: ${error.message}`),
  ]),
);
process.stdout.write(JSON.stringify(Object.fromEntries(lost)), () => process.exit(0));
