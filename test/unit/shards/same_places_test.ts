/** What may be held at a time is the same for one event loop and for several that share it, whichever of them holds it. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ownNumbers, type SharedNumbers } from "../../../src/base/shared_numbers.ts";
import { Shard } from "../../../src/http/shard.ts";
import { OpenCounts } from "../../../src/proxy/limit/open_counts.ts";
import { CallerFlows } from "../../../src/proxy/share/caller_flows.ts";
import type { Claim } from "../../../src/proxy/share/claim.ts";
import { FairGate } from "../../../src/proxy/share/fair_gate.ts";
import type { SharedRegion } from "../../../src/shards/shared_region.ts";
import { ManualClock } from "../../support/clock.ts";
import { loopsOn } from "../../support/loops.ts";

/** Somebody wants one more, by that loop; or the oldest is given back, by the loop that has it. */
const step = fc.record({ loop: fc.nat(3), who: fc.nat(8), asks: fc.boolean() });
type Step = typeof step extends fc.Arbitrary<infer Each> ? Each : never;

/** `take` says what to call to give it back, and what there is then; null: it was refused. */
function figures<Thing>(
  make: (numbers: SharedNumbers) => Thing,
  take: (thing: Thing, who: number) => { leave: () => void; there: unknown } | null,
  steps: readonly Step[],
): unknown[][] {
  return [[ownNumbers], loopsOn(2), loopsOn(4)].map((loops) => {
    const things = loops.map(make);
    const held: (() => void)[] = [];
    return steps.map(({ loop, who, asks }) => {
      if (!asks) return held.shift()?.();
      const taken = take(things[loop % things.length] as Thing, who);
      if (taken !== null) held.push(taken.leave);
      return taken?.there ?? "refused";
    });
  });
}

function gateOf(numbers: SharedNumbers): { gate: FairGate<object>; flows: CallerFlows } {
  const gate = new FairGate<object>({
    shard: new Shard(new ManualClock(), undefined, numbers),
    name: "requests orders",
    max: 20,
    admit: () => {},
    overdue: () => {},
  });
  return { gate, flows: new CallerFlows() };
}

function claimOf({ gate, flows }: ReturnType<typeof gateOf>, who: number): Claim<object> {
  return flows
    .opened("10.0.0.1", `caller-${who % 3}`)
    .part(`${who}`)
    .claimOn(gate);
}

describe("one, two and four loops come to the same", () => {
  test("places of a gate, and the share of each caller and of each of its clients", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const [alone, ...shared] = figures(
          gateOf,
          (scene, who) => {
            const claim = claimOf(scene, who);
            const waiter = {};
            if (scene.gate.ask(claim, waiter, 0) !== "enters") {
              scene.gate.forget(waiter);
              return null;
            }
            const there = [scene.gate.taken, claim.group.held, claim.held];
            return { leave: () => scene.gate.leave(claim), there };
          },
          steps,
        );
        for (const each of shared) expect(each).toEqual(alone as unknown[]);
      }),
    );
  });

  test("opaque connections to each app", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const [alone, ...shared] = figures(
          (numbers) => new OpenCounts(numbers, "connections to apps of db"),
          (counts, who) => {
            const app = `app-${who % 3}`;
            const there = [counts.more(app), counts.total];
            return { leave: () => counts.less(app), there };
          },
          steps,
        );
        for (const each of shared) expect(each).toEqual(alone as unknown[]);
      }),
    );
  });
});

test("what a loop held that ended is free for the others, and its clients have their whole share there", () => {
  const [one, other] = loopsOn(2) as [SharedRegion, SharedRegion];
  const [here, there] = [gateOf(one), gateOf(other)];
  const [claim, elsewhere] = [claimOf(here, 1), claimOf(there, 1)];
  let most = 0;
  while (there.gate.ask(elsewhere, {}, 0) === "enters") most++;
  expect([here.gate.ask(claim, {}, 0), claim.held]).toEqual(["waits", most]);
  one.forget(1);
  expect([here.gate.taken, claim.held, claim.group.held]).toEqual([0, 0, 0]);
  let again = 0;
  while (here.gate.ask(claim, {}, 0) === "enters") again++;
  expect(again).toBe(most);
});
