/** Contract of UDP: datagrams arrive whole; a vanished peer costs a datagram and nothing else. */
import { expect, test } from "bun:test";
import { runtime } from "../../support/runtime_under_test.ts";
import { until } from "../../support/sockets.ts";

const host = "127.0.0.1";
const bytes = new TextEncoder().encode("datagram");

test("a datagram arrives with its sender's address", async () => {
  const got: string[] = [];
  const server = await runtime.net.udp({ host, port: 0 }, (data, address, port) => {
    got.push(new TextDecoder().decode(data));
    server.send(data, address, port);
  });
  let answers = 0;
  const client = await runtime.net.udp({ host, port: 0 }, () => void answers++);
  client.send(bytes, host, server.port);
  await until(() => answers === 1, "the answer arrives");
  expect(got).toEqual(["datagram"]);
  client.close();
  server.close();
});

test("another process goes on with a socket: what came before it is there to be read", async () => {
  const server = await runtime.net.udp({ host, port: 0 }, () => {});
  // Deno shows no descriptors.
  if (server.descriptor === null) return server.close();
  const given = runtime.ports.duplicate(server.descriptor);
  const { port } = server;
  server.close();
  const client = await runtime.net.udp({ host, port: 0 }, () => {});
  client.send(bytes, host, port);
  const got: string[] = [];
  const next = await runtime.net.adoptUdp(given, (data) => got.push(new TextDecoder().decode(data)));
  await until(() => got.length === 1, "what came in between arrives");
  expect([next.port, got]).toEqual([port, ["datagram"]]);
  client.close();
  next.close();
});

test("a slice of a datagram is a copy", async () => {
  const got: Uint8Array[] = [];
  const server = await runtime.net.udp({ host, port: 0 }, (data) => {
    got.push(data.slice());
    data.fill(0);
  });
  const client = await runtime.net.udp({ host, port: 0 }, () => {});
  client.send(bytes, host, server.port);
  await until(() => got.length === 1, "it arrives");
  expect(got[0]).toEqual(bytes);
  client.close();
  server.close();
});

test("a vanished peer stops nobody", async () => {
  const gone = await runtime.net.udp({ host, port: 0 }, () => {});
  const gonePort = gone.port;
  gone.close();
  let got = 0;
  const server = await runtime.net.udp({ host, port: 0 }, () => void got++);
  const client = await runtime.net.udp({ host, port: 0 }, () => {});
  for (let count = 0; count < 20; count++) {
    server.send(bytes, host, gonePort);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  client.send(bytes, host, server.port);
  await until(() => got === 1, "the server still hears");
  server.send(bytes, host, client.port);
  client.close();
  server.close();
});

test("a taken address is an error", async () => {
  const first = await runtime.net.udp({ host, port: 0 }, () => {});
  const second = runtime.net.udp({ host, port: first.port }, () => {});
  expect(second).rejects.toThrow();
  await second.catch(() => {});
  first.close();
});

test("sockets that all ask for it share a port, and one that does not is refused it", async () => {
  const heard = [0, 0];
  const first = await runtime.net.udp({ host, port: 0, reusePort: true }, () => void heard[0]!++);
  const { port } = first;
  const second = await runtime.net.udp({ host, port, reusePort: true }, () => void heard[1]!++);
  const alone = runtime.net.udp({ host, port }, () => {});
  expect(alone).rejects.toThrow();
  await alone.catch(() => {});
  const client = await runtime.net.udp({ host, port: 0 }, () => {});
  first.close();
  client.send(bytes, host, port);
  await until(() => heard[1] === 1, "the one that is left hears it");
  for (const each of [second, client]) each.close();
});
