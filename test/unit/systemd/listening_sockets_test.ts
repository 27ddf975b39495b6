/** What listens on this machine, as the kernel tells it. */
import { afterAll, describe, expect, test } from "bun:test";
import { createServer, type Server } from "node:net";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import {
  listeningSockets,
  ListeningSockets,
  type ListeningSocket,
} from "../../../src/systemd/listening_sockets.ts";

/** More than one answer of the kernel holds. */
const many = 400;
const linux = process.platform === "linux";

describe.skipIf(!linux)(`what listens here${linux ? "" : " (skipped: this is no Linux)"}`, () => {
  const runtime = createRuntime();
  const asked = new ListeningSockets(runtime);
  const servers: Server[] = [];
  afterAll(() => {
    asked.close();
    for (const server of servers) server.close();
  });

  async function listen(host: string): Promise<number> {
    const server = createServer();
    servers.push(server);
    await new Promise<void>((done) => server.listen(0, host, done));
    return (server.address() as { port: number }).port;
  }

  const ours = (all: readonly ListeningSocket[], ports: readonly number[]): ListeningSocket[] =>
    all.filter(({ port }) => ports.includes(port)).sort((a, b) => a.port - b.port);

  test("is told by the kernel as its own tables have it, however much it is", async () => {
    const hosts = ["127.0.0.1", "127.100.7.8", "0.0.0.0", "::1", "::"];
    const ports: number[] = [];
    for (let at = 0; at < many; at++) ports.push(await listen(hosts[at % hosts.length] as string));
    const told = ours(await asked.read(), ports);
    expect(told).toHaveLength(many);
    expect(told).toEqual(ours(await listeningSockets(runtime.files), ports));
    expect(told.find(({ port }) => port === ports[1])).toMatchObject({
      address: "127.100.7.8",
      loopback: true,
    });
    expect(told.find(({ port }) => port === ports[4])).toMatchObject({ address: "::", loopback: false });
  });

  test("is told again after the socket of the questions was lost", async () => {
    const port = await listen("127.0.0.1");
    asked.close();
    expect(ours(await asked.read(), [port])).toHaveLength(1);
  });

  test("is read from the tables where the host has no native calls", async () => {
    const port = await listen("127.0.0.1");
    const native = {
      available: false,
      library: () => {
        throw new Error("There is none");
      },
    };
    expect(ours(await new ListeningSockets({ files: runtime.files, native }).read(), [port])).toHaveLength(1);
  });
});
