/** Who made a socket, as the kernel of this machine tells it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import { SocketOwners, type SocketOwner } from "../../../src/systemd/socket_owner.ts";
import { processorClock } from "../../support/processor_time.ts";

const asked = 2_000;
/** Some microseconds; far more would be felt in each new connection. */
const costMsMax = 0.2;
const linux = process.platform === "linux";

describe.skipIf(!linux)(`the owner of a socket${linux ? "" : " (skipped: this is no Linux)"}`, () => {
  const owners = new SocketOwners(createRuntime().native);
  let server: Server;
  const open: Socket[] = [];
  beforeAll(async () => {
    server = createServer((socket) => open.push(socket));
    await new Promise<void>((done) => server.listen(0, "::", done));
  });
  afterAll(() => {
    for (const socket of open) socket.destroy();
    server.close();
    owners.close();
  });

  async function dial(host: string): Promise<{ socket: Socket; of: () => SocketOwner | null }> {
    const { port } = server.address() as AddressInfo;
    const socket = connect({ host, port });
    open.push(socket);
    await new Promise((done) => socket.on("connect", done));
    const { localAddress = "", localPort = 0 } = socket;
    const ends = { localAddress, localPort, remoteAddress: host, remotePort: port };
    return { socket, of: () => owners.of(ends) };
  }

  test.each(["127.0.0.1", "127.100.7.8", "::1", "::ffff:127.0.0.1"])(
    "at %s is this process, by its user and cgroup",
    async (host) => {
      const { of } = await dial(host);
      expect(of()).toEqual({ user: process.getuid?.() ?? -1, cgroup: ownCgroup() ?? expect.any(Number) });
    },
  );

  test("is nobody where nothing has these ends, and not what listens at the port, which is asked for by itself", () => {
    const { port } = server.address() as AddressInfo;
    const at = (localPort: number) =>
      owners.of({ localAddress: "127.0.0.1", localPort, remoteAddress: "127.0.0.1", remotePort: 9 });
    expect(at(1)).toBeNull();
    expect(at(port)).toBeNull();
    expect(owners.listening(port)?.user).toBe(process.getuid?.() ?? -1);
    expect(owners.listening(1)).toBeNull();
    expect(
      owners.of({ localAddress: "web", localPort: 1, remoteAddress: "127.0.0.1", remotePort: 9 }),
    ).toBeNull();
  });

  test("is told time and again, whatever was asked before, and cheaply", async () => {
    const { of } = await dial("127.0.0.1");
    const first = of();
    owners.close();
    const tookMs = processorClock();
    for (let at = 0; at < asked; at++) expect(of()?.cgroup).toBe(first?.cgroup as number);
    expect(tookMs() / asked).toBeLessThan(costMsMax);
  });
});

/** null: nobody can tell here. */
function ownCgroup(): number | null {
  const path = /^0::(.*)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1];
  const root = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].find((each) =>
    existsSync(`${each}/cgroup.procs`),
  );
  if (path === undefined || root === undefined || path.includes("..") || !existsSync(root + path))
    return null;
  return statSync(root + path).ino;
}
