/** Where the graph of the dashboard puts services. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { around, layoutOf, spotSize, type Link } from "../../../src/dashboard/graph/layout.ts";

function links(...pairs: readonly string[]): Link[] {
  return pairs.map((pair) => {
    const [from = "", to = "", rate = "1"] = pair.split(" ");
    return { from, to, rate: Number(rate) };
  });
}

function xOf(ids: readonly string[], all: readonly Link[]): Record<string, number> {
  const { spots } = layoutOf(ids, all);
  return Object.fromEntries(ids.map((id) => [id, spots.get(id)?.x ?? NaN]));
}

describe("the layout", () => {
  test("puts callers to the left of whom they call", () => {
    const x = xOf(["db", "orders", "web", "search"], links("web orders", "orders db", "web db", "search db"));
    expect(x["web"]).toBeLessThan(x["orders"] ?? 0);
    expect(x["orders"]).toBeLessThan(x["db"] ?? 0);
    // Nobody calls it: it stands right before the one that it calls.
    expect(x["search"]).toBe(x["orders"] ?? 0);
  });

  test("leads back the link that matters least where calls run in a circle", () => {
    const x = xOf(["a", "b", "c"], links("a b 100", "b c 100", "c a 1"));
    expect(
      [x["a"], x["b"], x["c"]].every((each, at, all) => at === 0 || (all[at - 1] ?? 0) < (each ?? 0)),
    ).toBe(true);
  });

  test("leaves a gap in each layer that a line passes", () => {
    const { bends, spots } = layoutOf(["a", "b", "c"], links("a b", "b c", "a c"));
    const [bend] = bends.get("a>c") ?? [];
    expect(bend?.x).toBe(spots.get("b")?.x ?? NaN);
    expect(Math.abs((bend?.y ?? 0) - (spots.get("b")?.y ?? 0))).toBeGreaterThan(spotSize.height / 2);
  });

  test("puts what has no calls below the rest", () => {
    const { spots } = layoutOf(["a", "b", "lone"], links("a b", "lone lone", "lone gone"));
    expect(spots.get("lone")?.y).toBeGreaterThan(Math.max(spots.get("a")?.y ?? 0, spots.get("b")?.y ?? 0));
  });

  test("takes the same place for the same mesh, in whatever order it is told", () => {
    const all = links("a b", "b c", "a c", "d c", "c a");
    const told = layoutOf(["a", "b", "c", "d"], all);
    expect(layoutOf(["d", "c", "b", "a"], all.toReversed()).spots).toEqual(told.spots);
  });

  test("gives each service a place of its own, whatever the calls", () => {
    const ids = Array.from({ length: 120 }, (_, at) => `s${at}`);
    const id = fc.constantFrom(...ids);
    const link = fc.record({ from: id, to: id, rate: fc.double({ min: 0, max: 1e6, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(link, { maxLength: 400 }), fc.integer({ min: 1, max: 120 }), (all, count) => {
        const { spots, width, height } = layoutOf(ids.slice(0, count), all);
        expect(spots.size).toBe(count);
        const taken = [...spots.values()];
        for (const { x, y } of taken) {
          expect(x + spotSize.width / 2).toBeLessThanOrEqual(width);
          expect(y + spotSize.height / 2).toBeLessThanOrEqual(height);
        }
        for (const one of taken)
          for (const other of taken)
            if (one !== other)
              expect(
                Math.abs(one.x - other.x) >= spotSize.width || Math.abs(one.y - other.y) >= spotSize.height,
              ).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  test("finds who is around one", () => {
    const all = links("a b", "b c", "c d", "x y");
    expect([...around("b", all, 1)].sort()).toEqual(["a", "b", "c"]);
    expect([...around("b", all, 2)].sort()).toEqual(["a", "b", "c", "d"]);
  });
});
