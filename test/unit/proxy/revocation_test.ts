/** What a revocation ends, and what it leaves alone: a certificate of one machine, or a whole identity. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { X509Certificate } from "node:crypto";
import { idOf, Planes, type TestMachine } from "../../support/planes.ts";
import { until } from "../../support/sockets.ts";
import { outlived } from "../../support/certificates.ts";

const destinations = { web: {}, pipe: { protocol: "tcp" } } as const;

/** An app whose answers begin and do not end, but those of /done; whatever else it hears it echoes. */
const app = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    data(socket, chunk) {
      const text = chunk.toString("latin1");
      if (!text.startsWith("GET ")) socket.write(chunk);
      else if (text.startsWith("GET /done ")) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      else socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    },
  },
});
let planes: Planes;

beforeAll(async () => {
  planes = await Planes.start(
    { name: "a", services: { caller: { app: app.port, upstreams: ["web", "pipe"] } } },
    { name: "b", services: { caller: { app: app.port, upstreams: ["web", "pipe"] } } },
    { name: "c", services: { web: { app: app.port }, pipe: { app: app.port } } },
  );
  planes.apply(destinations);
});
afterAll(async () => {
  await planes.close();
  app.stop(true);
});

class Open {
  heard = "";
  ended = false;
  readonly socket: Socket;

  constructor(machine: TestMachine, upstream: "web" | "pipe") {
    this.socket = connect(machine.port("caller", upstream), "127.0.0.1");
    this.socket.on("data", (chunk) => (this.heard += chunk.toString("latin1")));
    this.socket.on("error", () => {});
    this.socket.on("close", () => (this.ended = true));
    this.socket.write(upstream === "web" ? "GET / HTTP/1.1\r\nhost: web\r\n\r\n" : "first");
  }

  async begun(): Promise<this> {
    await until(() => this.heard.includes("first"), "the first bytes arrive");
    return this;
  }

  async expectEnded(): Promise<void> {
    await until(() => this.ended, "it is cut");
  }
}

const openAll = (machine: TestMachine): Promise<Open[]> =>
  Promise.all((["web", "pipe"] as const).map((upstream) => new Open(machine, upstream).begun()));

const serialOf = (machine: TestMachine, key: string): string =>
  new X509Certificate(machine.credentials.get(key)?.chainPem ?? "").serialNumber.toLowerCase();

async function statusOf(machine: TestMachine, path = "/"): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${machine.port("caller", "web")}${path}`);
  await response.body?.cancel();
  return response.status;
}

describe("a revoked certificate", () => {
  test("of a caller cuts what is open with it, and lets nothing new in; the same service elsewhere goes on", async () => {
    const [a, b] = [planes.machine("a"), planes.machine("b")];
    const [ofA, ofB] = await Promise.all([openAll(a), openAll(b)]);
    planes.deniedSerials = [serialOf(a, "caller.default")];
    planes.apply(destinations);
    for (const each of ofA) await each.expectEnded();
    expect(await statusOf(a)).toBe(502);
    expect(await statusOf(b)).toBe(200);
    expect(ofB.map((each) => each.ended)).toEqual([false, false]);
    for (const each of ofB) each.socket.destroy();
    planes.deniedSerials = [];
    planes.apply(destinations);
    expect(await statusOf(a)).toBe(200);
  });

  test("of the called service cuts the calls to it, and no caller believes it again", async () => {
    const a = planes.machine("a");
    const [web] = await openAll(a);
    planes.deniedSerials = [serialOf(planes.machine("c"), "web.default")];
    planes.apply(destinations);
    await web?.expectEnded();
    expect(await statusOf(a)).toBe(502);
    planes.deniedSerials = [];
    planes.apply(destinations);
  });
});

test("a stream that outlived a renewal of its certificate is cut with that certificate all the same", async () => {
  const a = planes.machine("a");
  const [web, pipe] = await openAll(a);
  const serial = serialOf(a, "caller.default");
  a.credentials.set("caller.default", await planes.authority.issue({ uri: idOf("caller") }));
  a.plane.credentialsChanged();
  const called = planes.machine("c");
  for (const service of ["web", "pipe"]) {
    called.credentials.set(`${service}.default`, await planes.authority.issue({ uri: idOf(service) }));
  }
  expect(await statusOf(a)).toBe(200);
  expect([web?.ended, pipe?.ended]).toEqual([false, false]);
  planes.deniedSerials = [serial];
  planes.apply(destinations);
  await web?.expectEnded();
  await pipe?.expectEnded();
  expect(await statusOf(a)).toBe(200);
  planes.deniedSerials = [];
  planes.apply(destinations);
});

test("a connection takes nothing new once the certificate that it began with has ended", async () => {
  const a = planes.machine("a");
  const call = () => statusOf(a, "/done");
  const statuses = await outlived(async (notAfter) => {
    a.credentials.set("caller.default", await planes.authority.issue({ uri: idOf("caller"), notAfter }));
    a.plane.credentialsChanged();
    return [await call(), await call()];
  });
  expect(statuses).toEqual([200, 200]);
  const served = planes.machine("c").records.of("inbound").length;
  expect(await call()).toBe(502);
  expect(planes.machine("c").records.of("inbound").length).toBe(served);
  a.credentials.set("caller.default", await planes.authority.issue({ uri: idOf("caller") }));
  a.plane.credentialsChanged();
  expect(await call()).toBe(200);
});

describe("a revoked identity", () => {
  test("is cut and refused on every machine", async () => {
    const [a, b] = [planes.machine("a"), planes.machine("b")];
    const all = (await Promise.all([openAll(a), openAll(b)])).flat();
    planes.deniedIds = [idOf("caller")];
    planes.apply(destinations);
    for (const each of all) await each.expectEnded();
    expect([await statusOf(a), await statusOf(b)]).toEqual([502, 502]);
    planes.deniedIds = [];
    planes.apply(destinations);
  });
});
