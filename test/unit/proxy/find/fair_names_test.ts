/** A bounded set shared fairly, against a model of it. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { FairNames } from "../../../../src/proxy/find/fair_names.ts";

const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
console.log(`fair names: SEED=${seed}`);
const max = 6;
const service = fc.constantFrom("a", "b", "c");
const name = fc.integer({ min: 0, max: 9 }).map(String);
const step = fc.record({ does: fc.constantFrom("ask", "ask", "ask", "forget"), service, name });

test("the set keeps to its bound, and who leaves is the oldest name of a service that had the most", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      /** The oldest first. */
      let model: (readonly [service: string, name: string])[] = [];
      const gone: string[] = [];
      const names = new FairNames<string>(max, (entry, from) => {
        const shares = Map.groupBy(model, ([owner]) => owner);
        const most = Math.max(...[...shares.values()].map((each) => each.length));
        expect(shares.get(from)).toHaveLength(most);
        expect(shares.get(from)?.[0]?.join("/")).toBe(entry);
        gone.push(entry);
        model = model.filter((each) => each.join("/") !== entry);
      });
      for (const { does, service: from, name: which } of steps) {
        model = model.filter((each) => each.join("/") !== `${from}/${which}`);
        if (does === "forget") names.delete(from, which);
        else {
          const known = names.touch(from, which);
          model = [...model, [from, which]];
          if (known === undefined) names.add(from, which, `${from}/${which}`);
        }
        expect(names.all().sort()).toEqual(model.map((each) => each.join("/")).sort());
        expect(model.length).toBeLessThanOrEqual(max);
      }
      expect(new Set(names.names())).toEqual(new Set(model.map(([, which]) => which)));
    }),
    { seed, numRuns: 1_000 },
  );
});
