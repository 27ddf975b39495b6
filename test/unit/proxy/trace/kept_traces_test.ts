/** Traces that the event loops of a machine keep together. */
import { describe, expect, test } from "bun:test";
import { KeptTraces } from "../../../../src/proxy/trace/kept_traces.ts";

const traceId = (at: number): string => `4bf92f3577b3${at.toString(16).padStart(20, "0")}`;

describe("traces that are kept in common", () => {
  test("are known to each event loop that has the memory, and no others are", () => {
    const memory = new Float64Array(64);
    const [one, other] = [new KeptTraces(memory), new KeptTraces(memory)];
    one.add(traceId(7));
    expect(other.has(traceId(7))).toBe(true);
    // The same place, and another trace; and one that nobody keeps.
    expect(other.has(`5${traceId(7).slice(1)}`)).toBe(false);
    expect([other.has(traceId(8)), other.has("0".repeat(32))]).toEqual([false, false]);
  });

  test("give way to newer ones at their places, so that what is held stays as it is", () => {
    const kept = new KeptTraces(new Float64Array(4));
    for (let at = 0; at < 1_000; at++)
      kept.add(`${at.toString(16).padStart(12, "0")}${traceId(at).slice(12)}`);
    const known = Array.from({ length: 1_000 }, (_, at) => at).filter((at) =>
      kept.has(`${at.toString(16).padStart(12, "0")}${traceId(at).slice(12)}`),
    );
    expect(known).toEqual([996, 997, 998, 999]);
  });
});
