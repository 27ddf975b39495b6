/** A proxy of two event loops: whatever ends one of them costs its connections alone, and another one takes its place. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { limits } from "../../src/model/limits.ts";
import { startMesh, type Machine, type Mesh } from "../support/mesh.ts";
import { hangMs } from "../support/patience.ts";
import { waitFor } from "../support/processes.ts";
import { connectionsOf, shardsOf } from "../support/shard_processes.ts";
import { SteadyLoad } from "../support/steady_load.ts";

const connections = 40;
const documents = ["web", "orders"]
  .map((name) => `kind: Service\nname: ${name}\nport: 80\nprotocol: http\n`)
  .join("---\n");

let mesh: Mesh;
beforeAll(async () => {
  mesh = await startMesh({
    shards: 2,
    proxyEnv: { HEDDLE_SHARDS_MEMORY: "700" },
    documents,
    machines: [
      { name: "vm-a", services: [{ service: "web", calls: { orders: "by-name" } }] },
      { name: "vm-b", services: [{ service: "orders" }] },
    ],
  });
}, hangMs);
afterAll(() => mesh?.stop(), hangMs);

/** Steady requests from web to orders, once each connection has had an answer. */
async function load(): Promise<SteadyLoad> {
  const { address } = mesh.machine("vm-a");
  const port = loadPort();
  const made = new SteadyLoad({
    ...{ host: address, port, authority: "orders.mesh", path: "/x", connections, everyMs: 10 },
  });
  made.start();
  await waitFor("each connection has answers", async () => (made.served === connections ? true : null));
  return made;
}

/** Where the load connects to. */
function loadPort(): number {
  return mesh.machine("vm-a").httpPort("web");
}

interface Held {
  readonly pid: number;
  readonly connections: number;
}

/** The event loop that holds most connections of the load, once all of them are counted. */
async function busiest(machine: Machine): Promise<Held> {
  return await waitFor("all connections of the load are held by its event loops", async () => {
    const held = shardsOf(machine.proxy.pid).map((pid) => ({
      pid,
      connections: connectionsOf(pid, loadPort()),
    }));
    const all = held.reduce((sum, each) => sum + each.connections, 0);
    const [most] = held.toSorted((a, b) => b.connections - a.connections);
    return all === connections && most !== undefined ? most : null;
  });
}

/** Pids of its shards, once there are two. */
async function bothShards({ proxy }: Machine): Promise<readonly number[]> {
  return await waitFor("it has two event loops", async () => {
    const found = shardsOf(proxy.pid);
    return found.length === 2 ? found : null;
  });
}

/** What ends an event loop, and what its proxy says of it. */
const ends = [
  { what: "throws", signal: "SIGUSR2", said: /is gone: it ended with 70/ },
  { what: "hangs", signal: "SIGTTIN", said: /is gone: it hung for \d+ ms/ },
  { what: "fills its memory", signal: "SIGTTOU", said: /is gone: it took \d+ MiB of the machine's memory/ },
  { what: "is killed", signal: "SIGKILL", said: /is gone: it was ended by SIGKILL/ },
] as const;

/** As `replaced`, and says how long after its end two carried traffic again. */
async function goneAndReplaced(machine: Machine, gone: number): Promise<void> {
  await waitFor("it is gone", () => (shardsOf(machine.proxy.pid).includes(gone) ? null : true));
  const goneMs = performance.now();
  await replaced(machine, gone);
  console.log(`another event loop carries traffic after ${Math.round(performance.now() - goneMs)} ms`);
}

/** Until that one is gone, and there are two that carry traffic. */
async function replaced(machine: Machine, gone: number): Promise<void> {
  await waitFor("another one takes its place", async () => {
    const now = shardsOf(machine.proxy.pid);
    return now.length === 2 && !now.includes(gone) && (await runningOf(machine)) === 2 ? true : null;
  });
}

async function runningOf({ address }: Machine): Promise<number> {
  return numberOf(await metricsOf(address), /^heddle_shards (\d+)$/m);
}

async function metricsOf(address: string): Promise<string> {
  return await (await fetch(`http://${address}:9464/metrics`)).text();
}

function numberOf(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? "0");
}

describe.each(ends)("an event loop that $what under load", ({ signal, said }) => {
  test(
    "on the near side loses its connections and no others, and what is counted goes on from where it was",
    async () => {
      const machine = mesh.machine("vm-a");
      await bothShards(machine);
      const running = await load();
      const ended = await busiest(machine);
      const counted = /^heddle_requests_total\{direction="outbound"[^}]*code="200"[^}]*\} (\d+)$/m;
      const before = numberOf(await metricsOf(machine.address), counted);
      expect(running.lost).toBe(0);
      const output = machine.proxy.output().length;
      process.kill(ended.pid, signal);
      await goneAndReplaced(machine, ended.pid);
      await waitFor("its connections are found to be lost", async () =>
        running.lost >= ended.connections ? true : null,
      );
      const answered = running.answered;
      await waitFor("the load goes on", async () =>
        running.answered > answered + connections ? true : null,
      );
      await running.stop();
      // Those that it held and no others; what was under way on one connection is one request.
      expect(running.lost).toBe(ended.connections);
      expect(running.failures.filter(({ kind }) => kind !== "cut")).toEqual([]);
      expect(running.failures.length).toBeLessThanOrEqual(running.lost);
      const after = numberOf(await metricsOf(machine.address), counted);
      expect(after).toBeGreaterThanOrEqual(before);
      expect(machine.proxy.output().slice(output)).toMatch(said);
      expect(machine.proxy.output().slice(output)).toContain(
        "what it had open is lost, another one takes its place",
      );
    },
    2 * hangMs,
  );
});

describe("an event loop that is killed under load", () => {
  test(
    "on the far side fails no request that may be sent again",
    async () => {
      const machine = mesh.machine("vm-b");
      const [first] = await bothShards(machine);
      const running = await load();
      process.kill(first as number, "SIGKILL");
      await replaced(machine, first as number);
      await running.stop();
      expect(running.failures).toEqual([]);
      expect(running.lost).toBe(0);
    },
    2 * hangMs,
  );
});

test(
  "an event loop that stands still is left out, and nobody waits for it",
  async () => {
    const machine = mesh.machine("vm-a");
    const [first, second] = await bothShards(machine);
    process.kill(first as number, "SIGSTOP");
    try {
      await Bun.sleep(2 * limits.shardSilentMs);
      const running = await load();
      await running.stop();
      expect(running.failures).toEqual([]);
    } finally {
      process.kill(first as number, "SIGCONT");
    }
    expect(shardsOf(machine.proxy.pid)).toContain(second as number);
  },
  2 * hangMs,
);
