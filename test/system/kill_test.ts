/**
 * kill -9 of any process of the mesh at any moment, under load, with a supervisor that starts it again within a second.
 * Failed may be only what was in flight in the killed process, and connects to it until it is back.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing } from "../../compile/repository.ts";
import { callByName, callUntil } from "../support/http_calls.ts";
import type { MeshProcess } from "../support/mesh_process.ts";
import { startMesh, type Machine, type Mesh } from "../support/mesh.ts";
import { until } from "../support/sockets.ts";
import { SteadyLoad, type Failure } from "../support/steady_load.ts";
import { testMs } from "../support/patience.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
`;
const loopMs = 25_000;
const restartMs = 250;
const killsMin = 11;
/** Between the end of a process and others hearing of it: they need a processor for that. */
const graceMs = 100;

interface Kill {
  readonly process: MeshProcess;
  readonly atMs: number;
  /** When it was gone: until then its connections take what is sent to them. */
  goneMs: number;
  /** When it was ready again. */
  backMs: number;
}

const seed = Number(process.env["HEDDLE_SEED"] ?? Math.floor(Math.random() * 1e9));

function seeded(state: number): () => number {
  let at = state >>> 0;
  return () => {
    at = (Math.imul(at, 1_664_525) + 1_013_904_223) >>> 0;
    return at / 2 ** 32;
  };
}

describe.skipIf(binaryMissing)("kill -9 under load", () => {
  let mesh: Mesh;

  beforeAll(async () => {
    const services = [
      { service: "caller", app: "none", calls: { web: "by-name" } },
      { service: "web" },
    ] as const;
    mesh = await startMesh({
      documents,
      machines: [
        { name: "vm-a", services },
        { name: "vm-b", services },
      ],
    });
    for (const name of ["vm-a", "vm-b"]) {
      await callUntil(
        `${name} reaches web`,
        () => callByName(mesh.machine(name), "caller", "web"),
        ({ status }) => status === 200,
      );
    }
  }, testMs);
  afterAll(async () => await mesh?.stop());

  function loadFrom(machine: Machine): SteadyLoad {
    const { address: host } = machine;
    const port = machine.httpPort("caller");
    return new SteadyLoad({
      host,
      port,
      authority: "web.mesh",
      path: "/",
      connections: 8,
      everyMs: 5,
    }).start();
  }

  async function killOne(process: MeshProcess): Promise<Kill> {
    const never = Number.POSITIVE_INFINITY;
    const kill: Kill = { process, atMs: performance.now(), goneMs: never, backMs: never };
    await process.kill();
    kill.goneMs = performance.now();
    // The supervisor of the test starts it again.
    await Bun.sleep(restartMs);
    await process.untilReady();
    kill.backMs = performance.now();
    return kill;
  }

  test(
    `only what was in flight in the killed process fails (HEDDLE_SEED=${seed})`,
    async () => {
      const random = seeded(seed);
      const machines = [mesh.machine("vm-a"), mesh.machine("vm-b")];
      const processes = [mesh.registry, mesh.controller, ...machines.map(({ proxy }) => proxy)];
      for (const process of processes) process.supervise(restartMs);
      const loads = machines.map(loadFrom);
      const kills: Kill[] = [];
      const end = performance.now() + loopMs;
      await Bun.sleep(500);
      while (performance.now() < end || kills.length < killsMin) {
        const process = processes[Math.floor(random() * processes.length)];
        if (process === undefined) break;
        kills.push(await killOne(process));
        await Bun.sleep(random() * 800);
      }
      await until(() => loads.every((load) => load.answered > 1_000), "enough is answered");
      await Promise.all(loads.map((load) => load.stop()));

      const unexplained = machines.flatMap((machine, index) =>
        (loads[index]?.failures ?? [])
          .filter((failure) => !kills.some((kill) => explains(kill, failure, machine)))
          .map((failure) => ({ on: machine.name, ...failure, near: nearest(kills, failure) })),
      );
      expect(unexplained).toEqual([]);
    },
    loopMs + testMs,
  );

  test(
    "everything is back to work by itself",
    async () => {
      await mesh.settled();
      const load = loadFrom(mesh.machine("vm-a"));
      await until(() => load.answered > 100, "enough is answered");
      await load.stop();
      expect(load.failures).toEqual([]);
    },
    testMs,
  );
});

/** Whether the failure is one of those that the kill may cause. */
function explains(kill: Kill, failure: Failure, machine: Machine): boolean {
  const local = kill.process === machine.proxy;
  const inFlight = failure.startedMs <= kill.goneMs + graceMs && failure.endedMs >= kill.atMs - graceMs;
  if (failure.kind === "connect")
    return local && failure.startedMs <= kill.backMs && failure.endedMs >= kill.atMs;
  if (failure.kind === "late") return false;
  const proxy = kill.process.name.startsWith("proxy");
  return proxy && inFlight;
}

function nearest(kills: readonly Kill[], failure: Failure): string {
  const before = kills.filter((kill) => kill.atMs <= failure.endedMs).at(-1);
  if (before === undefined) return "before any kill";
  const started = (failure.startedMs - before.atMs).toFixed(0);
  const ended = (failure.endedMs - before.atMs).toFixed(0);
  return `${before.process.name}: sent ${started} ms, failed ${ended} ms after its kill; it was back after ${(before.backMs - before.atMs).toFixed(0)} ms`;
}
