/** Tables of keys while endpoints come and go, by the picker as a state makes one after the other: what moves, and when it is laid out. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { hashText } from "../../../../src/base/hash.ts";
import { inPieces, type InPieces, type Piece } from "../../../../src/base/pieces.ts";
import { EndpointPicker } from "../../../../src/proxy/balance/endpoint_picker.ts";
import { strategyOf } from "../../../../src/proxy/balance/strategies.ts";
import type { ZoneRules } from "../../../../src/proxy/balance/zones.ts";
import { limits } from "../../../../src/model/limits.ts";
import { ManualClock } from "../../../support/clock.ts";
import { seeded } from "../../../support/chance.ts";
import { choiceOf, serviceOf, type TestCandidate } from "../../../support/candidates.ts";

type Picker = EndpointPicker<TestCandidate>;

const keys = Array.from({ length: 2_000 }, (_, at) => hashText(`user-${at}`));

/** Work that a test does when it likes. */
class Later {
  readonly pieces: Piece[] = [];
  readonly take: InPieces = (piece) => void this.pieces.push(piece);

  finish(): number {
    let count = 0;
    for (const piece of this.pieces.splice(0)) {
      for (count++; !piece(); count++);
    }
    return count;
  }
}

interface Making {
  readonly strategy: "maglev" | "ring-hash";
  readonly zones?: ZoneRules | null;
  readonly later?: Later;
  readonly previous?: Picker;
}

function pickerOf(
  endpoints: readonly TestCandidate[],
  health: ReturnType<typeof serviceOf>["group"],
  { strategy, zones = null, later = new Later(), previous }: Making,
): Picker {
  const random = seeded(1);
  const settings = { strategy, boundedLoadPercent: 0 };
  return new EndpointPicker<TestCandidate>({
    endpoints,
    health,
    zones,
    strategy: (known) =>
      strategyOf<TestCandidate>(settings, { random, inPieces: later.take, previous: known }),
    random,
    previous: previous ?? null,
  });
}

const placesOf = (picker: Picker): string[] => keys.map((key) => picker.pick(choiceOf({ key }))?.id ?? "");

function moved(before: readonly string[], after: readonly string[]): number {
  return before.filter((id, at) => id !== after[at]).length;
}

for (const strategy of ["maglev", "ring-hash"] as const)
  describe(strategy, () => {
    test("lays nothing out again for a new state with the same endpoints", () => {
      const { all, group } = serviceOf(20);
      const first = pickerOf(all, group, { strategy });
      const before = placesOf(first);
      const later = new Later();
      const same = all.map((each) => ({ ...each }));
      const second = pickerOf(same, group, { strategy, later, previous: first });
      first.close();
      expect(later.pieces).toEqual([]);
      expect(placesOf(second)).toEqual(before);
      expect(same).toContain(second.pick(choiceOf({ key: 1 })) as TestCandidate);
    });

    test("goes by the table that it has while the next is laid out, without those that are gone", () => {
      fc.assert(
        fc.property(fc.integer({ min: 4, max: 40 }), fc.nat(39), fc.boolean(), (count, which, leaves) => {
          const { all, group } = serviceOf(count);
          const odd = all[which % count] as TestCandidate;
          const others = all.filter((each) => each !== odd);
          const first = pickerOf(leaves ? all : others, group, { strategy });
          const before = placesOf(first);
          const later = new Later();
          const next = leaves ? others : all;
          const second = pickerOf(next, group, { strategy, later, previous: first });
          first.close();
          const during = placesOf(second);
          expect(during).not.toContain(odd.id);
          expect(before.filter((id, at) => id !== odd.id && id !== during[at]).length).toBe(0);
          // What it had is spread over the others.
          const orphans = during.filter((_, at) => before[at] === odd.id);
          if (leaves) expect(new Set(orphans).size).toBeGreaterThan(1);
          later.finish();
          expect(placesOf(second)).toEqual(placesOf(pickerOf(next, group, { strategy })));
        }),
        { numRuns: 15 },
      );
    });

    test("moves about its part of the keys to an endpoint that comes, and few besides", () => {
      const { all, group } = serviceOf(20);
      const later = new Later();
      const first = pickerOf(all.slice(1), group, { strategy });
      const second = pickerOf(all, group, { strategy, later, previous: first });
      const before = placesOf(second);
      later.finish();
      const after = placesOf(second);
      const own = after.filter((id) => id === all[0]?.id).length;
      expect(Math.abs(own / keys.length - 1 / 20)).toBeLessThan(0.025);
      expect(moved(before, after) - own).toBeLessThanOrEqual(strategy === "maglev" ? 0.05 * keys.length : 0);
    });

    test("is laid out for ten thousand endpoints in pieces, and requests meanwhile go where there is less to do", () => {
      const { all, group } = serviceOf(10_000);
      const later = new Later();
      const picker = pickerOf(all, group, { strategy, later });
      const without = new Set(placesOf(picker)).size;
      expect(without).toBeGreaterThan(1_000);
      expect(later.finish()).toBeGreaterThan(10);
      expect(placesOf(picker)).toEqual(placesOf(picker));
    });

    test("is dropped half way when a newer state is there", () => {
      const { all, group } = serviceOf(500);
      const later = new Later();
      const picker = pickerOf(all, group, { strategy, later });
      expect(later.pieces[0]?.()).toBe(false);
      picker.close();
      expect(later.pieces[0]?.()).toBe(true);
    });

    test("keeps the keys of each zone to its own endpoints", () => {
      const { all, group } = serviceOf(12, (at) => ({ zone: at % 2 === 0 ? "near" : "far" }));
      const zones = { zone: "near", region: "", order: null };
      const picker = pickerOf(all, group, { strategy, zones });
      for (const key of keys.slice(0, 200)) expect(picker.pick(choiceOf({ key }))?.zone).toBe("near");
      const next = pickerOf(all, group, { strategy, zones, previous: picker });
      expect(placesOf(next)).toEqual(placesOf(picker));
    });

    test("tells endpoints nothing more once it is closed, though a retry still picks by it", () => {
      const { all, group } = serviceOf(4);
      const random = seeded(1);
      const bounded = strategyOf<TestCandidate>({ strategy, boundedLoadPercent: 125 }, { random });
      const picker = new EndpointPicker({
        endpoints: all,
        health: group,
        zones: null,
        strategy: () => bounded,
        random,
      });
      picker.close();
      expect(picker.pick(choiceOf({ key: 7 }))).not.toBeNull();
      expect(all.map(({ load }) => load.totals.length)).toEqual([0, 0, 0, 0]);
    });
  });

describe("work in pieces", () => {
  test("is done one piece in a turn, that of several works by turns", () => {
    const clock = new ManualClock();
    const take = inPieces((ms, call) => void clock.after(ms, call), limits.tablePauseMs);
    const done: string[] = [];
    const work = (name: string, pieces: number) => {
      let left = pieces;
      take(() => {
        done.push(name);
        return --left === 0;
      });
    };
    work("a", 3);
    work("b", 2);
    expect(done).toEqual([]);
    clock.step(limits.tablePauseMs);
    expect(done).toEqual(["a"]);
    for (let turn = 0; turn < 10; turn++) clock.step(limits.tablePauseMs);
    expect(done).toEqual(["a", "b", "a", "b", "a"]);
    work("c", 1);
    clock.step(limits.tablePauseMs);
    expect(done.at(-1)).toBe("c");
  });
});
