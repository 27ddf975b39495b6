/** The DNS server on real sockets: both transports, clients that are slow or too many, a place that somebody else has. */
import { afterEach, expect, test } from "bun:test";
import { decode, encode, streamDecode, streamEncode } from "dns-packet";
import { createSocket } from "node:dgram";
import { createServer, connect, type Socket } from "node:net";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import { Answerer } from "../../../src/dns/answerer.ts";
import { DnsServer, type DnsServerOptions } from "../../../src/dns/dns_server.ts";
import { TcpClient } from "../../../src/dns/tcp_client.ts";
import { Zone } from "../../../src/dns/zone.ts";
import { limits } from "../../../src/model/limits.ts";
import { ManualClock } from "../../support/clock.ts";
import { FakeSocket } from "../../support/fake_socket.ts";
import { waitFor } from "../../support/processes.ts";

const runtime = createRuntime();
const answerer = new Answerer({ counted: () => {}, broken: () => {} });
const orders = {
  service: { name: "orders", namespace: "default" },
  port: 80,
  protocol: "http",
  problem: "",
} as const;
answerer.serve(new Zone([{ ...orders, address: "127.100.0.7" }], "default"));

const toClose: (() => void)[] = [];
afterEach(() => {
  for (const close of toClose.splice(0)) close();
});

function serverOf(options: Partial<DnsServerOptions> = {}): DnsServer {
  const server = new DnsServer({
    net: runtime.net,
    clock: runtime.clock,
    host: "127.0.0.1",
    port: 0,
    answer: (query, transport) => answerer.answer(query, transport),
    onLimit: () => {},
    log: () => {},
    ...options,
  });
  toClose.push(() => server.close());
  return server;
}

const question = { type: "query", id: 7, flags: 0, questions: [{ name: "orders.mesh", type: "A" }] } as const;
const query = { ...question, questions: [...question.questions] };

function askUdp(port: number): Promise<string> {
  const socket = createSocket("udp4");
  toClose.push(() => socket.close());
  return new Promise((resolve) => {
    socket.on("message", (bytes) => resolve(JSON.stringify(decode(bytes).answers)));
    socket.send(encode(query), port, "127.0.0.1");
  });
}

function dial(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket)).on("error", reject);
    toClose.push(() => socket.destroy());
  });
}

test("the same port answers over UDP and over TCP", async () => {
  const server = serverOf();
  await server.start();
  expect(server.problem).toBeNull();
  expect(await askUdp(server.port)).toContain("127.100.0.7");
  const socket = await dial(server.port);
  const answered = new Promise<Buffer>((resolve) => socket.once("data", (bytes) => resolve(bytes as Buffer)));
  socket.write(streamEncode(query));
  expect(streamDecode(await answered)?.answers).toMatchObject([{ data: "127.100.0.7" }]);
});

test("queries over TCP are answered in their order, however their octets are cut", async () => {
  const server = serverOf();
  await server.start();
  const socket = await dial(server.port);
  const ids: number[] = [];
  let received = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    received = Buffer.concat([received, chunk as Buffer]);
    for (;;) {
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      ids.push(received.readUInt16BE(2));
      received = received.subarray(2 + received.readUInt16BE(0));
    }
  });
  const wanted = Array.from({ length: 300 }, (_, id) => id);
  const all = Buffer.concat(wanted.map((id) => streamEncode({ ...query, id })));
  for (let at = 0; at < all.length; at += 77) socket.write(all.subarray(at, at + 77));
  socket.end();
  await waitFor("all answers", () => ids.length === wanted.length || null);
  expect(ids).toEqual(wanted);
});

test("a place that somebody else has is named with its holder, and taken once it is free", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as { port: number };
  const said: string[] = [];
  const timers: (() => void)[] = [];
  const clock = {
    ...runtime.clock,
    after: (_: number, call: () => void) => (timers.push(call), { cancel() {} }),
  };
  const server = serverOf({ port, clock, log: (text) => said.push(text) });
  await server.start();
  expect(server.problem).toContain(`cannot answer DNS at 127.0.0.1:${port}, held by `);
  timers.splice(0).forEach((call) => call());
  await waitFor("another try", () => timers.length === 1 || null);
  expect(said).toHaveLength(1);
  await new Promise((resolve) => other.close(resolve));
  timers.splice(0).forEach((call) => call());
  await waitFor("the server", () => server.problem === null || null);
  expect(said.at(-1)).toContain("DNS stands at");
  expect(await askUdp(port)).toContain("127.100.0.7");
});

test("what is too long to be a query ends its connection", async () => {
  const server = serverOf();
  await server.start();
  const socket = await dial(server.port);
  const closed = new Promise((resolve) => socket.once("close", resolve).once("error", () => {}));
  socket.write(Buffer.from([0xff, 0xff, 1, 2, 3]));
  await closed;
});

test("a client that has been silent the longest gives way to a new one", async () => {
  const tripped: string[] = [];
  const server = serverOf({ onLimit: (limit) => tripped.push(limit) });
  await server.start();
  const first = await dial(server.port);
  const closed = new Promise((resolve) =>
    first
      .once("close", resolve)
      .once("error", () => {})
      .resume(),
  );
  for (let at = 0; at < limits.dnsConnectionsMax; at++) await dial(server.port);
  await closed;
  expect(tripped).toContain("dnsConnectionsMax");
});

test("a connection on which nothing is asked any more ends, and one that asks stays", () => {
  const clock = new ManualClock();
  const socket = new FakeSocket();
  const answer = (bytes: Uint8Array) => answerer.answer(bytes, "tcp");
  const client = new TcpClient(socket, { clock, answer, onLimit: () => {}, gone: () => {} });
  clock.step(limits.dnsIdleMs - 1);
  client.data(streamEncode(query));
  clock.step(limits.dnsIdleMs - 1);
  expect(socket.ends).toEqual([]);
  clock.step(1);
  expect(socket.ends).toEqual(["destroyed"]);
});

test("a client that does not read is sent what it asked for once it does, and ended where it asks for too much", () => {
  const socket = new FakeSocket();
  socket.room = 10;
  const tripped: string[] = [];
  const answer = (bytes: Uint8Array) => answerer.answer(bytes, "tcp");
  const onLimit = (limit: string) => tripped.push(limit);
  const client = new TcpClient(socket, { clock: new ManualClock(), answer, onLimit, gone: () => {} });
  client.data(streamEncode(query));
  expect(socket.written).toHaveLength(10);
  socket.room = 10_000;
  client.drain();
  expect(streamDecode(Buffer.from(socket.written))?.answers).toHaveLength(1);
  socket.room = 0;
  for (let at = 0; at < 2_000; at++) client.data(streamEncode(query));
  expect(tripped[0]).toBe("dnsUnreadBytesMax");
  expect(socket.ends[0]).toBe("reset");
});
