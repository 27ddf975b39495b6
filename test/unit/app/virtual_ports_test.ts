/** Listeners at virtual addresses: opened where nobody else wants the port, given up where somebody does, told with whose it is. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import { HeldPorts } from "../../../src/app/held_ports.ts";
import { listeningSockets } from "../../../src/systemd/listening_sockets.ts";
import { VirtualPorts } from "../../../src/app/virtual_ports.ts";
import { limits } from "../../../src/model/limits.ts";
import type { MeshName } from "../../../src/model/mesh_name.ts";
import type { ServiceName } from "../../../src/model/service.ts";
import { outcomes } from "../../../src/proxy/failure/outcomes.ts";
import type { Accept, CallerOf, Told } from "../../../src/proxy/listen/caller_gate.ts";
import { VirtualListeners } from "../../../src/proxy/listen/virtual_listeners.ts";
import { ManualClock } from "../../support/clock.ts";
import { waitFor } from "../../support/processes.ts";

const runtime = createRuntime();
const web: ServiceName = { name: "web", namespace: "default" };
const silent = { data() {}, drain() {}, end() {}, close() {} };

let folder = "";
let clock = new ManualClock();
let listeners = listenersOf();
const servers: Server[] = [];

function told(service: ServiceName | null): CallerOf {
  return (_connecting, tell) =>
    tell(
      service === null
        ? { service, refusal: outcomes.noCaller("127.100.250.9") }
        : { service, refusal: null },
    );
}

function listenersOf(): VirtualListeners {
  return new VirtualListeners({
    net: runtime.net,
    gate: () => ({ callerOf: told(web), accept: () => () => silent }),
  });
}

beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/heddle-ports-`);
  clock = new ManualClock();
  listeners = listenersOf();
});
afterEach(() => {
  listeners.close();
  for (const server of servers.splice(0)) server.close();
  rmSync(folder, { recursive: true });
});

async function portsOf(keptFree: readonly number[] = []): Promise<VirtualPorts> {
  const held = new HeldPorts({ files: runtime.files, clock, path: `${folder}/ports.json`, log: () => {} });
  await held.load();
  return new VirtualPorts({ listeners, held, clock, keptFree: (port) => keptFree.includes(port) });
}

function app(host: string, port: number): Promise<{ readonly port: number; close(): Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    servers.push(server);
    const close = () => new Promise<void>((done) => void server.close(() => done()));
    server.listen(port, host, () => resolve({ port: (server.address() as { port: number }).port, close }));
  });
}

/** A port that nobody has now. */
async function freePort(): Promise<number> {
  const { port, close } = await app("0.0.0.0", 0);
  await close();
  return port;
}

function nameAt(port: number): MeshName {
  return {
    service: { name: "orders", namespace: "default" },
    address: "127.100.250.9",
    port,
    protocol: "http",
  };
}

async function look(ports: VirtualPorts, port: number, whose?: string): Promise<string | null> {
  const declared = new Map(whose === undefined ? [] : [[port, whose] as const]);
  ports.look([nameAt(port)], {
    sockets: await listeningSockets(runtime.files),
    declared,
    holders: new Map(),
  });
  return ports.problems.get("orders.default")?.reason ?? null;
}

test("a port that nobody wants is taken, and given up with its name", async () => {
  const ports = await portsOf();
  const port = await freePort();
  expect(await look(ports, port)).toBeNull();
  expect(listeners.size).toBe(1);
  ports.look([], { sockets: [], declared: new Map(), holders: new Map() });
  expect(listeners.size).toBe(0);
  await app("0.0.0.0", port);
});

test("a port that an app holds on all addresses is named with its holder, and taken by nobody else", async () => {
  const ports = await portsOf();
  const { port } = await app("0.0.0.0", 0);
  const reason = `port ${port} is held on all addresses by bun`;
  expect(await look(ports, port)).toContain(reason);
  expect(await look(ports, port)).toContain(reason);
  expect(listeners.size).toBe(0);
});

test("an app that is restarted finds its port free, also after a restart of the proxy, and for some days", async () => {
  const { port, close } = await app("0.0.0.0", 0);
  await look(await portsOf(), port);
  await close();
  await waitFor("the file", async () => (await runtime.files.read(`${folder}/ports.json`)) ?? null);
  const ports = await portsOf();
  expect(await look(ports, port)).toMatch(/was held on all addresses by bun\S* until 0 s ago/);
  const again = await app("0.0.0.0", port);
  expect(await look(ports, port)).toContain("is held on all addresses");
  await again.close();
  clock.jump(limits.heldPortRestMs);
  expect(await look(ports, port)).toContain("was held");
  clock.jump(1);
  expect(await look(ports, port)).toBeNull();
});

test("an app that holds it on all addresses and moves to one address makes it free at once", async () => {
  const ports = await portsOf();
  const { port, close } = await app("0.0.0.0", 0);
  expect(await look(ports, port)).toContain("is held");
  await close();
  await app("127.0.0.1", port);
  expect(await look(ports, port)).toBeNull();
});

test("a port that an app or a unit declares is taken only while it is seen to listen elsewhere", async () => {
  const port = await freePort();
  const ports = await portsOf();
  const waits = `port ${port} is the one of nginx.service on this machine, which does not listen there now`;
  expect(await look(ports, port, "nginx.service")).toBe(waits);
  const { close } = await app("127.0.0.1", port);
  expect(await look(ports, port, "nginx.service")).toBeNull();
  await close();
  expect(await look(ports, port, "nginx.service")).toBe(waits);
  await app("0.0.0.0", port);
  expect(await look(ports, port, "nginx.service")).toContain("is held on all addresses");
});

test("a port is given up when a unit that wants it is installed, before that is started", async () => {
  const port = await freePort();
  const ports = await portsOf();
  expect(await look(ports, port)).toBeNull();
  expect(await look(ports, port, "nginx.service")).toContain("is the one of nginx.service");
  await app("0.0.0.0", port);
});

test("a port that is to be kept free is taken by nobody", async () => {
  const port = await freePort();
  expect(await look(await portsOf([port]), port)).toBe(`port ${port} is kept free`);
  await app("0.0.0.0", port);
});

test("a place that somebody has at just that address is named, and tried again after a while", async () => {
  const ports = await portsOf();
  const { port, close } = await app("127.100.250.9", 0);
  expect(await look(ports, port)).toContain(`127.100.250.9:${port} cannot be had: bun`);
  await close();
  expect(await look(ports, port)).toContain("cannot be had");
  clock.step(limits.virtualRetryMs);
  expect(await look(ports, port)).toBeNull();
});

test("a connection whose caller cannot be told is refused", async () => {
  const closed: string[] = [];
  const refused: Accept = (socket) => {
    socket.reset();
    return silent;
  };
  const accept = (who: Told): Accept => (who.service === null ? refused : () => silent);
  listeners = new VirtualListeners({ net: runtime.net, gate: () => ({ callerOf: told(null), accept }) });
  const port = await freePort();
  listeners.open({ service: web, host: "127.100.250.9", port });
  runtime.net.connect(
    { host: "127.100.250.9", port, timeoutMs: 5_000 },
    {
      opened: () => ({ ...silent, close: () => void closed.push("closed") }),
      failed: () => void closed.push("failed"),
    },
  );
  await waitFor("its end", () => (closed.length > 0 ? true : null));
});

test("each caller has a way of its own, and closed listeners open again where they stood", async () => {
  const made: string[] = [];
  const callers = [web, { name: "cron", namespace: "default" }, web];
  listeners = new VirtualListeners({
    net: runtime.net,
    gate: (service) => ({
      callerOf: (connecting, tell) => told(callers.shift() ?? null)(connecting, tell),
      accept: (who) => {
        made.push(`${who.service?.name} to ${service.name}`);
        return () => silent;
      },
    }),
  });
  const port = await freePort();
  const place = { service: nameAt(port).service, host: "127.100.250.9", port };
  listeners.open(place);
  listeners.close();
  await (await app("0.0.0.0", port)).close();
  listeners.reopen();
  const dial = { ...silent };
  for (let at = 0; at < 3; at++)
    runtime.net.connect(
      { host: place.host, port, timeoutMs: 5_000 },
      { opened: () => dial, failed: () => {} },
    );
  await waitFor("three calls", () => (callers.length === 0 ? true : null));
  expect(made).toEqual(["web to orders", "cron to orders"]);
});
