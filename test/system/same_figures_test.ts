/**
 * What documents bound, on the compiled binary with one, two and four event loops: budgets, breakers, rates, places, connections and
 * memory come to the same figures, whichever loops the requests come by. Prints them as a table.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import { binaryMissing, bun, root } from "../../compile/repository.ts";
import { limits } from "../../src/model/limits.ts";
import { residentMb } from "../bench/usage.ts";
import { addressOf } from "../support/addresses.ts";
import { startMesh, type Machine, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";
import { accepts, startProgram, waitFor, type Program } from "../support/processes.ts";
import { connectionsOf, shardsOf } from "../support/shard_processes.ts";
import { startLoad } from "../support/slow_clients.ts";

const counts = [1, 2, 4] as const;
const retried = 200;
const retryPercent = 20;
const burst = 30;
const places = 8;
const concurrent = 6;
const connections = 4;
/** Connections that calls come by at once: so many that each of four loops has some. */
const callers = 60;
/** Until two loops have connections: one that gets no time takes none. */
const spreadRoundsMax = 100;
/** Clients that do not read, and what each asks for: several times what a proxy lets wait for slow peers. */
const unread = {
  version: "http/1.1",
  kind: "unread",
  connections: 24,
  exchanges: 24,
  bytes: 12_000_000,
} as const;
const unreadMs = 2_500;
const [ok, unavailable] = ["200 OK", "503 Service Unavailable"];
const allGood = Array.from({ length: callers }, () => 200);
/** Budgets count by seconds: of one that is cut off a part is not spent. */
const [retriesMin, retriesMax] = [(retried * retryPercent) / 100 - 8, (retried * retryPercent) / 100];
/** A loop that waits for a place looks again after a while, so that all are not always taken. */
const placesMin = places / 2;
/** How far the memory of a proxy of one loop may grow meanwhile, and what each further loop may take besides. */
const unreadMbMax = 64;
const furtherMbMax = 24;

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: broken, port: 80, protocol: http, balance: round-robin}
---
{kind: Traffic, name: broken, service: broken, circuitBreaking: {penalty: 60s}, retries: {attempts: 0}}
---
{kind: Service, name: retried, port: 80, protocol: http}
---
kind: Traffic
name: retried
service: retried
retries: {attempts: 1, on: [gateway-error]}
retryBudget: {percent: ${retryPercent}, min: 0, interval: 60s}
circuitBreaking: {failures: 0, successPercent: 0}
---
{kind: Service, name: rated, port: 80, protocol: http}
---
{kind: Traffic, name: rated, service: rated, rateLimit: {identity: {rate: 1/h, burst: ${burst}}}}
---
{kind: Service, name: placed, port: 80, protocol: http}
---
{kind: Traffic, name: placed, service: placed, limits: {requests: ${places}, pending: 100, pendingWait: 50s}}
---
{kind: Service, name: narrow, port: 80, protocol: http}
---
{kind: Traffic, name: narrow, service: narrow, concurrency: {max: ${concurrent}, pending: 0}}
---
{kind: Service, name: linked, port: 80, protocol: http}
---
{kind: Traffic, name: linked, service: linked, limits: {connections: ${connections}, pending: 100, pendingWait: 50s}}
---
{kind: Service, name: large, port: 80, protocol: http}
`;

/** An app of HTTP/1.1 that holds what it is asked until it is told, and counts what comes. */
class CountingApp {
  asked = 0;
  /** Requests without an answer, at most. */
  underWayMost = 0;
  readonly #held: Socket<undefined>[] = [];
  readonly #server;

  constructor(
    host: string,
    readonly port: number,
    readonly options: { readonly status: string; readonly holds: boolean },
  ) {
    this.#server = Bun.listen({
      hostname: host,
      port,
      socket: {
        // A request without a body, from a proxy, is one piece.
        data: (socket) => this.#take(socket),
      },
    });
  }

  #take(socket: Socket<undefined>): void {
    this.asked++;
    this.#held.push(socket);
    this.underWayMost = Math.max(this.underWayMost, this.#held.length);
    if (!this.options.holds) this.release();
  }

  get held(): number {
    return this.#held.length;
  }

  release(): void {
    for (const socket of this.#held.splice(0))
      socket.write(`HTTP/1.1 ${this.options.status}\r\ncontent-length: 0\r\n\r\n`);
  }

  close(): void {
    this.#server.stop(true);
  }
}

interface Figure {
  readonly title: string;
  /** What one loop may come to, and several. */
  readonly bounds: (loops: number) => readonly [number, number];
}

const exactly = (value: number) => (): readonly [number, number] => [value, value];

/** What is bounded, by the name under which it is found. */
const figures = {
  failing: {
    title: "requests that an instance gets that fails",
    bounds: exactly(limits.breakerStreakMax),
  },
  retries: {
    title: `retries of ${retried} requests with a budget of ${retryPercent} %`,
    bounds: () => [retriesMin, retriesMax],
  },
  rated: { title: `requests let in by a rate with a burst of ${burst}`, bounds: exactly(burst) },
  placed: { title: `requests under way with ${places} places`, bounds: () => [placesMin, places] },
  narrow: {
    title: `requests under way with a concurrency of ${concurrent}`,
    bounds: exactly(concurrent),
  },
  linked: {
    title: `connections in use to an app that is given ${connections}`,
    bounds: () => [1, connections],
  },
  unread: {
    title: "megabytes of what slow clients do not read",
    bounds: (loops: number) => [0, unreadMbMax + (loops - 1) * furtherMbMax],
  },
} as const satisfies Record<string, Figure>;

type Name = keyof typeof figures;
type Figures = Record<Name, number>;
const named = (Object.keys(figures) as Name[]).map((name) => [figures[name].title, name] as const);

class Scene {
  readonly host = addressOf(120);
  readonly broken = new CountingApp(this.host, 8_081, { status: unavailable, holds: false });
  readonly retried = new CountingApp(this.host, 8_082, { status: unavailable, holds: false });
  readonly rated = new CountingApp(this.host, 8_083, { status: ok, holds: false });
  readonly placed = new CountingApp(this.host, 8_084, { status: ok, holds: true });
  readonly narrow = new CountingApp(this.host, 8_085, { status: ok, holds: true });
  readonly linked = new CountingApp(this.host, 8_086, { status: ok, holds: true });
  #large: Program | null = null;
  #mesh: Mesh | null = null;

  constructor(readonly loops: number) {}

  async start(): Promise<void> {
    const { host } = this;
    const command = [bun, `${root}/test/support/slow_app.ts`, host, "8087"];
    this.#large = startProgram({ name: "app", command, log: "/dev/null" });
    await waitFor("the app accepts", async () => ((await accepts(host, 8_087)) ? true : null));
    const names = ["broken", "retried", "rated", "placed", "narrow", "linked", "large"];
    const calls = Object.fromEntries(names.map((name) => [name, "by-name"] as const));
    this.#mesh = await startMesh({
      documents,
      shards: this.loops,
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls }] },
        { name: "vm-b", services: names.map((service, at) => ({ service, host, port: 8_081 + at })) },
        { name: "vm-c", services: [{ service: "broken" }] },
      ],
    });
  }

  async stop(): Promise<void> {
    await this.#mesh?.stop();
    await this.#large?.stop();
    for (const app of [this.broken, this.retried, this.rated, this.placed, this.narrow, this.linked])
      app.close();
  }

  machine(name: string): Machine {
    if (this.#mesh === null) throw new Error("The mesh has not begun");
    return this.#mesh.machine(name);
  }

  /** Connections of clients that each loop of the near machine holds. */
  #held(): number[] {
    const { proxy } = this.machine("vm-a");
    const pids = this.loops === 1 ? [proxy.pid] : shardsOf(proxy.pid);
    return pids.map((pid) => connectionsOf(pid, this.#door.port));
  }

  /** A machine with fewer processors than loops gives some no time while connections come. */
  get #isSpread(): boolean {
    const held = this.#held();
    return held.length === this.loops && held.filter((count) => count > 0).length >= Math.min(2, this.loops);
  }

  /** As many connections as there are callers, of two loops at least: whose they are is chance, so they are made anew where one has all. */
  async #opened(to: string): Promise<Call[]> {
    const count = (): number => this.#held().reduce((sum, each) => sum + each, 0);
    for (let round = 0; round < spreadRoundsMax; round++) {
      const before = count();
      const opened = await Promise.all(this.calls(to, callers));
      await waitFor("all connections are accepted", () => (count() >= before + callers ? true : null));
      if (this.#isSpread) return opened;
      for (const call of opened) call.close();
      await waitFor("they are closed", () => (count() <= before ? true : null));
    }
    throw new Error(`In ${spreadRoundsMax} rounds of ${callers} connections one loop had all`);
  }

  get #door(): { readonly host: string; readonly port: number } {
    const near = this.machine("vm-a");
    return { host: near.address, port: near.httpPort("caller") };
  }

  /** Each by a connection of its own, all at once. */
  calls(to: string, count: number): Promise<Call>[] {
    return Array.from({ length: count }, () => Call.open({ ...this.#door, authority: `${to}.mesh` }));
  }

  /** Statuses of so many, by `callers` connections of several loops, a request at a time on each. */
  async statuses(to: string, count: number): Promise<number[]> {
    const opened = await this.#opened(to);
    const statuses: number[] = [];
    for (let at = 0; at < count; at++) statuses.push(await (opened[at % callers] as Call).ask());
    for (const call of opened) call.close();
    return statuses;
  }

  /** As many as there are connections, all at once. `look` ends when the app holds as many as it ever will. */
  async atOnce(to: string, look: (answered: () => number) => Promise<void>): Promise<number[]> {
    const opened = await this.#opened(to);
    let answered = 0;
    const asked = opened.map(async (call) => {
      const status = await call.ask();
      answered++;
      return status;
    });
    await look(() => answered);
    const statuses = await Promise.all(asked);
    for (const call of opened) call.close();
    return statuses;
  }

  /** Megabytes that the processes of both proxies hold that no file stands behind: the larger of both. */
  memory(): number {
    const of = (name: string): number => {
      const { pid } = this.machine(name).proxy;
      return [pid, ...shardsOf(pid)].reduce((sum, each) => sum + residentMb(each, "RssAnon"), 0);
    };
    return Math.max(of("vm-a"), of("vm-b"));
  }

  get slowDoor() {
    return { ...this.#door, authority: "large.mesh" };
  }
}

/** One connection of a client. */
class Call {
  #answer: ((status: number) => void) | null = null;

  private constructor(
    readonly socket: Socket<Call | undefined>,
    readonly authority: string,
  ) {}

  static async open(to: { host: string; port: number; authority: string }): Promise<Call> {
    const socket = await Bun.connect<Call | undefined>({
      hostname: to.host,
      port: to.port,
      socket: {
        data: (its, chunk) => its.data?.heard(Number(/^HTTP\/1.1 (\d+)/.exec(chunk.toString("latin1"))?.[1])),
        close: (its) => its.data?.heard(0),
      },
    });
    const call = new Call(socket, to.authority);
    socket.data = call;
    return call;
  }

  ask(): Promise<number> {
    return new Promise((resolve) => {
      this.#answer = resolve;
      this.socket.write(`GET /x HTTP/1.1\r\nhost: ${this.authority}\r\n\r\n`);
    });
  }

  /** What comes of an answer after its head says nothing. 0: the connection ended. */
  heard(status: number): void {
    if (Number.isNaN(status)) return;
    this.#answer?.(status);
    this.#answer = null;
  }

  close(): void {
    this.socket.terminate();
  }
}

async function measure(scene: Scene): Promise<Figures> {
  /** Lets one after the other go until all have their answers. */
  const drained =
    (app: CountingApp, least: number) =>
    async (answered: () => number): Promise<void> => {
      await waitFor(`the app holds ${least}`, () => (app.held >= least ? true : null));
      await waitFor("all are answered", () => {
        app.release();
        return answered() === callers ? true : null;
      });
    };
  await scene.statuses("broken", 2 * callers);
  expect(await scene.statuses("retried", retried)).toEqual(Array.from({ length: retried }, () => 503));
  const rated = await scene.statuses("rated", 2 * burst);
  expect(await scene.atOnce("placed", drained(scene.placed, placesMin))).toEqual(allGood);
  const narrow = await scene.atOnce("narrow", async (answered) => {
    await waitFor("the others are refused", () => (answered() >= callers - concurrent ? true : null));
    scene.narrow.release();
  });
  expect(await scene.atOnce("linked", drained(scene.linked, 1))).toEqual(allGood);
  return {
    failing: scene.broken.asked,
    retries: scene.retried.asked - retried,
    rated: rated.filter((status) => status === 200).length,
    placed: scene.placed.underWayMost,
    narrow: narrow.filter((status) => status === 200).length,
    linked: scene.linked.underWayMost,
    unread: await unreadMb(scene),
  };
}

/** By how much the memory of a proxy grows while clients do not read what they asked for. */
async function unreadMb(scene: Scene): Promise<number> {
  const reading = await startLoad(scene.slowDoor, unread, false);
  await waitFor("those that read have all", () =>
    reading.received() >= unread.exchanges * unread.bytes ? true : null,
  );
  const before = scene.memory();
  reading.leave();
  const slow = await startLoad(scene.slowDoor, unread, true);
  let most = 0;
  const end = performance.now() + unreadMs;
  while (performance.now() < end) {
    most = Math.max(most, scene.memory() - before);
    await Bun.sleep(20);
  }
  slow.leave();
  return Math.round(most);
}

describe.skipIf(binaryMissing)("what documents bound", () => {
  const found = new Map<number, Figures>();

  describe.each(counts)("with %i event loops", (loops) => {
    let scene: Scene;
    let came: Figures;
    beforeAll(async () => {
      scene = new Scene(loops);
      await scene.start();
      came = await measure(scene);
      found.set(loops, came);
    }, 2 * testMs);
    afterAll(() => scene?.stop(), testMs);

    test.each(named)("%s are within their bounds", (_title, name) => {
      const [least, most] = figures[name].bounds(loops);
      expect(came[name]).toBeGreaterThanOrEqual(least);
      expect(came[name]).toBeLessThanOrEqual(most);
    });
  });

  afterAll(() => {
    console.log(`event loops | ${counts.join(" | ")}`);
    for (const [title, name] of named)
      console.log(`${title} | ${counts.map((loops) => String(found.get(loops)?.[name])).join(" | ")}`);
  });
});
