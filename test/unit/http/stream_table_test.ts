/** The open streams of a connection: as a map, whatever comes and goes. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { StreamTable } from "../../../src/http/stream_table.ts";

test("streams are found by id as in a map, however many live and for how long", () => {
  // Each step opens so many, then ends one in so many; some are never ended.
  const step = fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 5 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const table = new StreamTable<{ id: number }>();
      const known = new Map<number, { id: number }>();
      let next = 1;
      for (const [opened, every] of steps) {
        for (let each = 0; each < opened; each++, next += 2) {
          const stream = { id: next };
          table.add(stream);
          known.set(next, stream);
        }
        for (const [id, stream] of [...known].filter(([id]) => (id >> 1) % every === 0 && id % 7 !== 0)) {
          table.delete(stream);
          table.delete(stream);
          known.delete(id);
        }
        expect(table.size).toBe(known.size);
        expect(table.all()).toEqual([...known.values()]);
        for (let id = -1; id <= next; id++) expect(table.get(id)).toBe(known.get(id) as { id: number });
      }
    }),
    { numRuns: 40 },
  );
});

test("one that lives long among many does not make the table large", () => {
  const table = new StreamTable<{ id: number }>();
  const long = { id: 1 };
  table.add(long);
  for (let id = 3; id < 200_000; id += 2) {
    const stream = { id };
    table.add(stream);
    expect(table.get(1)).toBe(long);
    table.delete(stream);
  }
  expect([table.size, table.all()]).toEqual([1, [long]]);
});
