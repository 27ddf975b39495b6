/** A process that takes and gives back places which it shares with others, as fast as it can; how many are taken at a time is counted apart. */
import { Shard } from "../../src/http/shard.ts";
import { SharedRoom } from "../../src/proxy/upstream/shared_room.ts";
import { FairGate } from "../../src/proxy/share/fair_gate.ts";
import { Flow } from "../../src/proxy/share/flow.ts";
import { regionBytes, SharedRegion } from "../../src/shards/shared_region.ts";
import { runtime } from "./runtime_under_test.ts";

export const roomSize = { entries: 16, numbers: 2_048 };

if (import.meta.main) {
  const [what, ...numbers] = runtime.process.args;
  const [times, own, loops, max] = numbers.map(Number) as [number, number, number, number];
  const { bytes } = runtime.process.sharedMemory();
  // Behind the region: how many processes are there, how many places are taken, the most that ever were, and how often one was.
  const counts = new Int32Array(bytes, regionBytes(roomSize), 4);
  const shard = new Shard(runtime.clock, undefined, new SharedRegion(bytes, roomSize, { loops, own }));
  const take = takerOf(what === "gate", shard, max);
  Atomics.add(counts, 0, 1);
  while (Atomics.load(counts, 0) < loops);
  for (let left = times; left > 0; left--) {
    const leave = take();
    if (leave === null) continue;
    const taken = Atomics.add(counts, 1, 1) + 1;
    if (taken > Atomics.load(counts, 2)) Atomics.store(counts, 2, taken);
    Atomics.add(counts, 3, 1);
    Atomics.sub(counts, 1, 1);
    leave();
  }
  runtime.process.exit(0);
}

function takerOf(isGate: boolean, shard: Shard, max: number): () => (() => void) | null {
  if (!isGate) {
    const room = new SharedRoom(shard, "room");
    return () => (room.take(max) ? () => room.leave() : null);
  }
  const gate = new FairGate<object>({ shard, max, name: "gate", admit: () => {}, overdue: () => {} });
  const claim = new Flow("caller", "", "caller").claimOn(gate);
  return () => {
    const waiter = {};
    if (gate.ask(claim, waiter, 0) === "enters") return () => gate.leave(claim);
    gate.forget(waiter);
    return null;
  };
}
