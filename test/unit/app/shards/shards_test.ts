/** The keeper and its shards: told in order, ended when they are silent, replaced when they are gone. */
import { beforeEach, describe, expect, test } from "bun:test";
import type { Runtime } from "../../../../runtime/contract.ts";
import type { FromShard, ToShard } from "../../../../src/app/shards/messages.ts";
import { Shards } from "../../../../src/app/shards/shards.ts";
import { limits } from "../../../../src/model/limits.ts";
import type { Snapshot } from "../../../../src/model/snapshot.ts";
import { ShardMemory } from "../../../../src/shards/shard_memory.ts";
import { families } from "../../../../src/telemetry/families.ts";
import { Metrics } from "../../../../src/telemetry/metrics.ts";
import { ManualClock } from "../../../support/clock.ts";
import { FakeShards } from "../../../support/fake_shards.ts";

const prepare = { kind: "prepare", number: 7, snapshot: {} as Snapshot } as const;

let clock: ManualClock;
let host: FakeShards;
let metrics: Metrics;
let logged: string[];
let heard: FromShard[];
let shards: Shards;

beforeEach(() => {
  clock = new ManualClock();
  host = new FakeShards(clock);
  metrics = new Metrics();
  logged = [];
  heard = [];
  shards = new Shards({
    runtime: { clock, process: host as unknown as Runtime["process"] },
    count: 2,
    metrics,
    memoryBytesMax: 1_000 * 1_048_576,
    begin: (shard) => shard.send({ kind: "keep", traces: [`begin ${shard.own}`] }),
    message: (_shard, message) => void heard.push(message),
    ended: () => {},
    log: (text) => void logged.push(text),
  });
});

async function started(): Promise<void> {
  const start = shards.start();
  for (const shard of host.lives) shard.say({ kind: "ready" });
  await start;
}

/** Each shows that it lives while the time passes. */
async function live(ms: number, silent: readonly number[] = []): Promise<void> {
  const { beats } = new ShardMemory(host.memory.bytes, 2);
  for (let left = ms; left > 0; left -= limits.shardLookMs) {
    for (const own of [0, 1]) if (!silent.includes(own)) (beats[own] as number)++;
    await clock.advance(limits.shardLookMs);
  }
}

function report(requests: number): FromShard {
  const counted = new Metrics();
  counted.counter(families.faults)().add(requests);
  counted.gauge(families.processOpenFds)().set(10);
  return { kind: "report", metrics: counted.readAll(), asks: {}, wanted: [], held: [], lowest: 3 };
}

describe("shards", () => {
  test("are started with what of the environment concerns them, and nothing else", async () => {
    await started();
    await clock.advance(1);
    expect(host.lives.map(({ options }) => options.env)).toEqual([
      { HOME: "/home/x", OTEL_SERVICE_NAME: "y", HEDDLE_FAULTS: "end" },
      { HOME: "/home/x", OTEL_SERVICE_NAME: "y", HEDDLE_FAULTS: "end" },
    ]);
    expect(host.lives.map(({ told }) => told[0])).toEqual([
      { kind: "keep", traces: ["begin 0"] },
      { kind: "keep", traces: ["begin 1"] },
    ]);
  });

  test("agree on a snapshot only when each of them can go by it", async () => {
    await started();
    const [one, other] = host.lives;
    const first = shards.prepare(prepare);
    one?.say({ kind: "prepared", number: 7, problem: null });
    other?.say({ kind: "prepared", number: 7, problem: "its format is 2" });
    expect(await first).toBe("its format is 2");
    const second = shards.prepare({ ...prepare, number: 8 });
    one?.say({ kind: "prepared", number: 8, problem: null });
    other?.end(70, null);
    expect(await second).toBeNull();
  });

  test("that come while the others prepare have a say in it too", async () => {
    await started();
    await live(limits.shardSettledMs);
    const [one, other] = host.lives;
    const prepared = shards.prepare(prepare);
    await clock.advance(1);
    other?.end(null, "SIGKILL");
    one?.say({ kind: "prepared", number: 7, problem: null });
    await clock.advance(1);
    const late = host.lives[2];
    expect([late?.isGone, late?.kinds().at(-1)]).toEqual([false, "prepare"]);
    late?.say({ kind: "prepared", number: 7, problem: "its format is 2" });
    expect(await prepared).toBe("its format is 2");
  });

  test("do not go by a snapshot that ended all of them that carried traffic", async () => {
    await started();
    const first = shards.prepare(prepare);
    for (const life of [...host.lives]) life.end(null, "SIGSEGV");
    expect(await first).toContain("no event loop lived on");
  });

  test("take any snapshot while what is in force lets none of them begin", async () => {
    await started();
    for (const life of [...host.lives]) life.end(null, "SIGSEGV");
    await clock.advance(3 * limits.shardRestartMs);
    expect(host.running.length).toBe(2);
    const next = shards.prepare(prepare);
    for (const life of [...host.running]) life.end(null, "SIGSEGV");
    expect(await next).toBeNull();
  });

  test("that are silent about a snapshot are ended, and the others go by it", async () => {
    await started();
    const [one, other] = host.lives;
    const problem = shards.prepare(prepare);
    one?.say({ kind: "prepared", number: 7, problem: null });
    await live(limits.shardPrepareMs);
    expect([one?.isGone, other?.isGone]).toEqual([false, true]);
    expect(logged.at(-1)).toContain("it was silent about a snapshot");
    host.running[1]?.say({ kind: "ready" });
    host.running[1]?.say({ kind: "prepared", number: 7, problem: null });
    expect(await problem).toBeNull();
  });

  test("do not go by a snapshot that makes one after the other stand still", async () => {
    await started();
    const problem = shards.prepare(prepare);
    host.lives[0]?.say({ kind: "prepared", number: 7, problem: null });
    await live(limits.shardPrepareMs);
    expect(host.running.length).toBe(2);
    host.running[1]?.say({ kind: "ready" });
    await live(limits.shardPrepareMs);
    expect(await problem).toContain("one event loop after the other");
  });

  test("that end are replaced: at once when they have lived for a while, else after waits that grow", async () => {
    await started();
    await live(limits.shardSettledMs);
    host.lives[0]?.end(null, "SIGKILL");
    expect(host.running.length).toBe(2);
    expect(logged.at(-1)).toContain("it was ended by SIGKILL");
    const waits: number[] = [];
    for (let round = 0; round < 4; round++) {
      host.running.at(-1)?.end(70, null);
      let waited = 0;
      for (; host.running.length < 2; waited += limits.shardRestartMs)
        await clock.advance(limits.shardRestartMs);
      waits.push(waited / limits.shardRestartMs);
    }
    expect(waits).toEqual([1, 2, 4, 8]);
    expect(metrics.expose()).toContain("heddle_shards_ended_total 5");
  });

  test("that hang are ended by the processor time that they take, and those that the machine has no time for are not", async () => {
    await started();
    for (let at = 0; at < 8; at++) await live(limits.shardLookMs, [0]);
    expect(host.running.length).toBe(2);
    host.cpuMs = limits.shardHungCpuMs + 10;
    await live(limits.shardLookMs, [0]);
    expect(host.lives.map(({ isGone }) => isGone)).toEqual([true, false]);
    expect(logged.at(-1)).toContain("it hung for");
  });

  test("that do nothing at all for long are ended too", async () => {
    await started();
    await live(limits.shardHungMs - limits.shardLookMs, [1]);
    expect(host.running.length).toBe(2);
    await live(3 * limits.shardLookMs, [1]);
    expect(host.lives[1]?.isGone).toBe(true);
  });

  test("that take more of the machine's memory than they may are ended, the largest alone", async () => {
    await started();
    const [one, other] = host.lives;
    host.resident.set(one?.pid ?? 0, 400 * 1_048_576);
    host.resident.set(other?.pid ?? 0, 600 * 1_048_576);
    await live(limits.shardLookMs);
    expect(host.running.length).toBe(2);
    host.resident.set(one?.pid ?? 0, 401 * 1_048_576);
    await live(limits.shardLookMs);
    expect([one?.isGone, other?.isGone]).toEqual([false, true]);
    expect(logged.at(-1)).toContain(
      "it took 600 MiB of the machine's memory, and all event loops together 1001 MiB",
    );
  });

  test("count together, and what one has counted that is gone stays counted", async () => {
    await started();
    const [one, other] = host.lives;
    one?.say(report(3));
    other?.say(report(4));
    expect(metrics.expose()).toContain("heddle_faults_total 7");
    expect(metrics.expose()).toContain("process_open_fds 20");
    one?.end(70, null);
    expect(metrics.expose()).toContain("heddle_faults_total 7");
    expect(metrics.expose()).toContain("process_open_fds 10");
  });

  test("are gone for a drain when each has said so or has ended, and what they have open is the sum", async () => {
    await started();
    const [one, other] = host.lives;
    let gone = 0;
    shards.whenGone(() => gone++);
    expect(shards.size).toBeGreaterThan(0);
    await clock.advance(1);
    const asked = one?.told.at(-1) as Extract<ToShard, { kind: "when-gone" }>;
    one?.say({ kind: "gone", number: asked.number, open: 3 });
    await clock.advance(1);
    expect(gone).toBe(0);
    other?.end(70, null);
    await clock.advance(1);
    expect([gone, shards.size]).toEqual([1, 3]);
  });

  test("let go of a port all but one, which takes what comes until they have, and nobody waits for one that is late", async () => {
    await started();
    await live(limits.shardSilentMs + limits.shardLookMs, [0]);
    const [one, other] = host.lives;
    let left = false;
    void shards.leave({ host: "127.0.0.1", port: 80 }).then(() => (left = true));
    await clock.advance(1);
    const orders = host.lives.map(({ told }) => told.at(-1) as Extract<ToShard, { kind: "shut" }>);
    // Who is silent is no good to take what comes.
    expect(orders.map(({ kind, last }) => [kind, last])).toEqual([
      ["shut", false],
      ["shut", true],
    ]);
    other?.say({ kind: "shut", number: orders[1]?.number ?? -1 });
    await clock.advance(1);
    expect(left).toBe(false);
    one?.say({ kind: "shut", number: orders[0]?.number ?? -1 });
    await clock.advance(1);
    expect(left).toBe(true);
    left = false;
    void shards.leave({ host: "127.0.0.1", port: 81 }).then(() => (left = true));
    await clock.advance(limits.shardShutMs + 1);
    expect(left).toBe(true);
  });

  test("that do not end when they are told to are ended, and none is started anew", async () => {
    await started();
    const ended = shards.end();
    await clock.advance(1);
    expect(host.lives.map((shard) => shard.kinds().at(-1))).toEqual(["end", "end"]);
    host.lives[0]?.end(0, null);
    await clock.advance(limits.shardEndMs);
    await ended;
    expect([host.lives.length, host.running.length]).toEqual([2, 0]);
  });

  test("that do not take what they are told are ended before that fills the keeper's memory", async () => {
    await started();
    const [one, other] = host.lives;
    one?.stall();
    const part = limits.shardUntakenBytesMax / 4;
    const traces = ["x".repeat(part)];
    const gone: boolean[] = [];
    for (let at = 0; at < 5; at++) {
      shards.all[0]?.send({ kind: "keep", traces });
      await clock.advance(1);
      gone.push(one?.isGone ?? false);
    }
    expect(gone).toEqual([false, false, false, false, true]);
    expect([one?.isGone, other?.isGone]).toEqual([true, false]);
    expect(logged.at(-1)).toMatch(/it had not taken \d+ bytes and 0 orders of its keeper/);
  });

  test("are handed no more descriptors at a time than they take, and what is said after one comes after it", async () => {
    await started();
    const [shard] = shards.all;
    const ports = Array.from({ length: limits.shardHandedMax + 2 }, (_, at) => {
      return {
        host: "127.0.0.1",
        port: 1_000 + at,
        descriptor: 50 + at,
        stands: at !== limits.shardHandedMax,
      };
    });
    for (const port of ports) shard?.hand(port);
    shard?.send({ kind: "retire", softly: false });
    await clock.advance(1);
    const [life] = host.lives;
    expect([life?.handed.length, life?.kinds().at(-1)]).toEqual([limits.shardHandedMax, "port"]);
    life?.say({ kind: "took" });
    await clock.advance(1);
    // One was given up meanwhile.
    expect(life?.handed.at(-1)).toBe(50 + limits.shardHandedMax + 1);
    expect(life?.kinds().slice(-2)).toEqual(["port", "retire"]);
  });
});
