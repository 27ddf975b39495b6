/**
 * What policies cost: memory of a sealed process, how soon the first decision is there, and a call among others. And what those come to
 * that run away or are killed: how much of the machine they had, and how soon a policy decides again.
 */
import { binaryPath } from "../../compile/repository.ts";
import { compileSealed } from "../../src/policy/sealed_compiler.ts";
import { processBytesMax } from "../../src/policy/memory.ts";
import { shippedPolicies } from "../../src/policy/shipped.ts";
import { misbehaving, scriptWith } from "../support/hostile_policies/scripts.ts";
import { startTestHost, type TestHost } from "../support/policy_host.ts";
import { runtime } from "../support/runtime_under_test.ts";
import type { BenchOptions } from "./options.ts";
import { median } from "./rounds.ts";
import { note } from "./stage.ts";
import { barTable } from "./tables.ts";
import { cpuNanos, residentMb } from "./usage.ts";

const privateBarMb = 15;
const firstDecisionBarMs = 60;
const backBarMs = 200;
const loopBarMs = 100;
const bombBarMb = processBytesMax(1) / 2 ** 20 + 256;
const starts = 11;
const batch = 64;
const warmupCalls = 64_000;

const name = "header-route";
const options = { header: "x-group", values: {} };

/** Sealed processes are started by the bench itself: no proxy stands between. */
export async function measurePolicies({ rounds, counts, idleMs }: BenchOptions): Promise<string[]> {
  note("policies: memory, first decisions, calls in batches");
  const script = await shippedScript();
  const started: TestHost[] = [];
  const firstMs: number[] = [];
  for (let start = 0; start < starts; start++) {
    const startedMs = performance.now();
    const there = startPolicy(script);
    await there.ask(name, "GET", options);
    firstMs.push(performance.now() - startedMs);
    if (start % 2 === 0) started.push(there);
    else there.host.close();
  }
  await Bun.sleep(idleMs / 6);
  const pids = started.flatMap((there) => there.host.status().processes.map((each) => each.pid));
  const idleMb = pids.map((pid) => residentMb(pid, "RssAnon"));
  const [measured] = started;
  if (measured === undefined) throw new Error("No process of policies is left to measure");
  const calls = counts.http1 - (counts.http1 % batch);
  await askAll(measured, warmupCalls);
  const micros: number[] = [];
  for (let round = 0; round < rounds; round++) micros.push(await costOf(measured, calls));
  const busyMb = residentMb(measured.processOf(name).pid, "RssAnon");
  for (const there of started) there.host.close();
  note("policies: killed, endless, greedy");
  const backMs = await timesOf(() => backAfterKill(script));
  const loopMs = await timesOf(processorMsOfLoop);
  const bombMb = await timesOf(residentMbOfBomb);
  return [
    `A sealed process with one policy (${name}), idle: ${median(idleMb).toFixed(1)} MB that no other process shares (median of ${idleMb.length});`,
    `after ${warmupCalls + rounds * calls} calls ${busyMb.toFixed(1)} MB. From nothing to the first decision: ${median(firstMs).toFixed(1)} ms (median of ${starts}, from ${Math.min(...firstMs).toFixed(1)} to ${Math.max(...firstMs).toFixed(1)}).`,
    `A call in batches of ${batch}: ${median(micros).toFixed(2)} µs of processor time in both processes (${rounds} rounds of ${calls}, from ${Math.min(...micros).toFixed(2)} to ${Math.max(...micros).toFixed(2)}).`,
    `Killed with SIGKILL while it is idle, to the next decision: ${spread(backMs)} ms. Processor time of an endless loop until it is ended: ${spread(loopMs)} ms.`,
    `Resident memory of one that takes all there is, looked at every millisecond until it is ended: ${spread(bombMb)} MB; it may take ${bombBarMb - 256} MB.`,
    "",
    ...barTable([
      { title: "private memory, idle", wanted: privateBarMb, measured: median(idleMb), unit: " MB" },
      { title: "first decision", wanted: firstDecisionBarMs, measured: median(firstMs), unit: " ms" },
      { title: "decides again after SIGKILL", wanted: backBarMs, measured: Math.max(...backMs), unit: " ms" },
      { title: "processor time of a loop", wanted: loopBarMs, measured: Math.max(...loopMs), unit: " ms" },
      { title: "memory of a bomb", wanted: bombBarMb, measured: Math.max(...bombMb), unit: " MB" },
    ]),
  ];
}

async function timesOf(measure: () => Promise<number>): Promise<number[]> {
  const found: number[] = [];
  for (let start = 0; start < starts; start++) found.push(await measure());
  return found;
}

function spread(values: readonly number[]): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `${median(values).toFixed(1)} (median of ${values.length}, from ${least.toFixed(1)} to ${most.toFixed(1)})`;
}

/** Milliseconds. */
async function backAfterKill(script: string): Promise<number> {
  const there = startPolicy(script);
  try {
    await there.ask(name, "GET", options);
    const startedMs = performance.now();
    process.kill(there.processOf(name).pid, "SIGKILL");
    // The first may still have been on its way to the process that is gone.
    while (!(await there.ask(name, "GET", options)).ok) await Bun.sleep(1);
    return performance.now() - startedMs;
  } finally {
    there.host.close();
  }
}

/** Milliseconds on a processor. */
async function processorMsOfLoop(): Promise<number> {
  const there = startTestHost(runtime, binaryPath);
  try {
    there.add("loop", scriptWith(misbehaving.loop));
    await there.host.describe("loop");
    const pids = [there.processOf("loop").pid];
    const before = cpuNanos(pids);
    const answer = await there.ask("loop");
    if (answer.ok) throw new Error("An endless loop answered");
    return (cpuNanos(pids) - before) / 1e6;
  } finally {
    there.host.close();
  }
}

/** The most that was seen. */
async function residentMbOfBomb(): Promise<number> {
  const there = startTestHost(runtime, binaryPath);
  try {
    there.add("bomb", scriptWith(misbehaving.exhaust), { cpuMs: 100 });
    await there.host.describe("bomb");
    const { pid } = there.processOf("bomb");
    let over = false;
    const asked = there.ask("bomb").finally(() => (over = true));
    let most = 0;
    while (!over) {
      most = Math.max(most, runtime.process.residentBytesOf(pid) ?? 0);
      await Bun.sleep(1);
    }
    if ((await asked).ok) throw new Error("One that takes all memory answered");
    return most / 2 ** 20;
  } finally {
    there.host.close();
  }
}

function startPolicy(script: string): TestHost {
  const there = startTestHost(runtime, binaryPath);
  there.add(name, script);
  return there;
}

async function shippedScript(): Promise<string> {
  const compiler = {
    process: { ...runtime.process, self: [binaryPath] },
    clock: runtime.clock,
    unsealed: note,
  };
  const [script] = (await compileSealed(compiler, [...shippedPolicies.values()])).scripts;
  if (script === undefined) throw new Error(`${name} makes no bundle`);
  return script.text;
}

/** Microseconds of processor time for each call, here and in the process. */
async function costOf(there: TestHost, calls: number): Promise<number> {
  const pids = [process.pid, there.processOf(name).pid];
  const before = cpuNanos(pids);
  await askAll(there, calls);
  return (cpuNanos(pids) - before) / 1_000 / calls;
}

async function askAll(there: TestHost, calls: number): Promise<void> {
  for (let asked = 0; asked < calls; asked += batch) {
    const answers = await Promise.all(Array.from({ length: batch }, () => there.ask(name, "GET", options)));
    const failed = answers.find((answer) => !answer.ok);
    if (failed !== undefined) throw new Error(`A call failed: ${JSON.stringify(failed)}`);
  }
}
