/** A snapshot that was prepared beside a state that is no more when it is to be in force: it is prepared anew, and leaves nothing behind. */
import { expect, test } from "bun:test";
import type { SharedRegion } from "../../../src/shards/shared_region.ts";
import { loopsOn } from "../../support/loops.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes } from "../../support/planes.ts";

test("snapshots that were overtaken before they were in force keep no shared numbers", async () => {
  const [numbers] = loopsOn(2) as [SharedRegion, SharedRegion];
  const planes = await Planes.inMemory(new MemoryNet(), {
    ...{ name: "a", services: { caller: { app: 9 } }, numbers },
  });
  const machine = planes.machine("a");
  const { plane } = machine;
  planes.apply({ caller: {} });
  for (let round = 0; round < 100; round++) {
    const services = { caller: {}, [`first-${round}`]: {}, [`second-${round}`]: {} };
    const prepared = plane.prepare(planes.snapshot(machine, services));
    plane.apply(planes.snapshot(machine, { caller: {}, [`other-${round}`]: {} }));
    prepared.enforce();
    expect(plane.state?.destinations.has(`first-${round}.default`)).toBe(true);
  }
  expect(numbers.refused).toBe(0);
  await planes.close();
});
