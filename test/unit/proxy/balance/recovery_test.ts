/** A slow instance among others, in simulated time: it is spared while it is slow, and has its share soon after it recovered. */
import { describe, expect, test } from "bun:test";
import { EndpointPicker } from "../../../../src/proxy/balance/endpoint_picker.ts";
import { balancingOf, strategyOf } from "../../../../src/proxy/balance/strategies.ts";
import { choiceOf, serviceOf, type TestCandidate } from "../../../support/candidates.ts";
import { seeded } from "../../../support/chance.ts";

const recoversMs = 20_000;
const backMs = recoversMs + 5_000;
const endMs = backMs + 5_000;
const instances = 3;

interface Shares {
  /** Of all requests, what the slow instance got while it was slow, and once it had been well for 5 s. */
  readonly slow: number;
  readonly recovered: number;
}

function sharesOf(perSecond: number, usualMs: number, slowMs: number): Shares {
  const random = seeded(7);
  const { all: endpoints, group } = serviceOf(instances);
  const picker = new EndpointPicker({
    endpoints,
    health: group,
    zones: null,
    strategy: () => strategyOf<TestCandidate>(balancingOf("ewma", undefined), { random }),
    random,
  });
  let underWay: { readonly overMs: number; readonly beganMs: number; readonly at: TestCandidate }[] = [];
  const sent = { slow: 0, recovered: 0 };
  const own = { slow: 0, recovered: 0 };
  for (let nowMs = 0; nowMs < endMs; nowMs += 1_000 / perSecond) {
    const over = underWay.filter((each) => each.overMs <= nowMs).sort((a, b) => a.overMs - b.overMs);
    underWay = underWay.filter((each) => each.overMs > nowMs);
    for (const { at, beganMs, overMs } of over) {
      at.load.answered(overMs - beganMs, overMs);
      at.load.ended();
    }
    const at = picker.pick(choiceOf({ nowMs })) as TestCandidate;
    const isSlow = at === endpoints[0];
    const phase = nowMs < recoversMs ? "slow" : nowMs >= backMs ? "recovered" : null;
    if (phase !== null) {
      sent[phase]++;
      if (isSlow) own[phase]++;
    }
    at.load.started();
    const lastsMs = isSlow && nowMs < recoversMs ? slowMs : usualMs * (0.7 + 0.6 * random.unit());
    underWay.push({ at, beganMs: nowMs, overMs: nowMs + lastsMs });
  }
  return { slow: own.slow / sent.slow, recovered: own.recovered / sent.recovered };
}

describe("an instance that is slow for a while", () => {
  for (const perSecond of [5, 50, 1_000])
    for (const [usualMs, slowMs] of [
      [5, 200],
      [5, 2_000],
      [1, 500],
      [50, 3_000],
    ] as const)
      test(`${slowMs} ms among ${usualMs} ms, at ${perSecond} requests a second, has its share back within 5 s`, () => {
        const { slow, recovered } = sharesOf(perSecond, usualMs, slowMs);
        expect(slow).toBeLessThan(perSecond === 5 ? 0.12 : 0.04);
        expect(recovered).toBeGreaterThan(0.7 / instances);
        expect(recovered).toBeLessThan(1.3 / instances);
      });
});
