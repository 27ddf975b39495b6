/** The policies of a proxy from one snapshot to the next. */
import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { Runtime } from "../../../runtime/contract.ts";
import { startPolicies, type Policies } from "../../../src/app/policies.ts";
import { stateFolder } from "../../../src/app/state_folder.ts";
import { limits } from "../../../src/model/limits.ts";
import type { PolicyBinding, Snapshot } from "../../../src/model/snapshot.ts";
import { Metrics } from "../../../src/telemetry/metrics.ts";
import { ManualClock } from "../../support/clock.ts";
import { FakePolicyProcesses } from "../../support/fake_policy_process.ts";

/** More than half of all there may be, so that those of two snapshots have no room together. */
const many = limits.policyProcessesMax - 4;

/** So many policies of names that begin like this; the text of each is its name. */
function snapshotOf(letter: string, count = many): Snapshot {
  const policies = Array.from({ length: count }, (_, at) => {
    const name = `${letter}${at}`;
    return { hash: hashOf(name), name, version: "1", onError: "closed", cpuMs: 2 };
  });
  return { policies, destinations: [], locals: [] } as unknown as Snapshot;
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

test("policies that found no room beside those of the snapshot before have it when these are not needed any more", async () => {
  const clock = new ManualClock();
  const files = { read: async () => null, makeFolder: async () => {}, writeAtomic: async () => {} };
  const runtime = { process: new FakePolicyProcesses(clock), clock, random: { unit: () => 1 }, files };
  const folder = stateFolder("/state");
  const policies = startPolicies(runtime as unknown as Runtime, folder, new Metrics(), () => {}, "vm-1");
  await serve(policies, clock, snapshotOf("a"));
  await serve(policies, clock, snapshotOf("b"));
  expect(policies.status().policies.filter(({ state }) => state === "broken").length).toBeGreaterThan(0);
  await clock.advance(limits.policyRetireMs + 1);
  const { processes, policies: there } = policies.status();
  expect(there.map(({ name, state }) => [name[0], state])).toEqual(Array(many).fill(["b", "waiting"]));
  expect(processes).toHaveLength(many);
  policies.close();
});

test("policies that streams of other event loops were asked by go when the last of these is over", async () => {
  const clock = new ManualClock();
  const files = { read: async () => null, makeFolder: async () => {}, writeAtomic: async () => {} };
  const runtime = { process: new FakePolicyProcesses(clock), clock, random: { unit: () => 1 }, files };
  const held: PolicyBinding[] = [{ hash: hashOf("a0"), name: "a0", options: {} }];
  const elsewhere = (): PolicyBinding[] => held;
  const folder = stateFolder("/state");
  const host = runtime as unknown as Runtime;
  const policies = startPolicies(host, folder, new Metrics(), () => {}, "vm-1", elsewhere);
  const names = (): string[] => policies.status().policies.map(({ name }) => name);
  await serve(policies, clock, snapshotOf("a", 2));
  await serve(policies, clock, snapshotOf("b", 2));
  await clock.advance(limits.policyRetireMs + 1);
  expect(names()).toEqual(["a0", "b0", "b1"]);
  held.length = 0;
  await clock.advance(limits.policyRetireMs + 1);
  expect(names()).toEqual(["b0", "b1"]);
  policies.close();
});

async function serve(policies: Policies, clock: ManualClock, snapshot: Snapshot): Promise<void> {
  const names = new Map(snapshot.policies.map(({ hash, name }) => [hash, name]));
  const prepared = policies.prepare(snapshot, async (hash) => new TextEncoder().encode(names.get(hash)));
  let over = false;
  void prepared.then(() => (over = true));
  while (!over) await clock.advance(limits.policyReadyMs + 1);
  policies.applied(snapshot);
}
