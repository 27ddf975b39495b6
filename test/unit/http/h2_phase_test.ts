/** The way of an HTTP/2 connection to its end: only forward. */
import { expect, test } from "bun:test";
import { following, phases, type Phase } from "../../../src/http/h2_phase.ts";

const { open, finishing, failing, calming, cut, closed } = phases;
const allowed: ReadonlyMap<Phase, readonly Phase[]> = new Map<Phase, readonly Phase[]>([
  [open, [finishing, failing, calming, cut, closed]],
  [finishing, [cut, closed]],
  [failing, [cut, closed]],
  [calming, [cut, closed]],
  [cut, [closed]],
  [closed, []],
]);

for (const [name, from] of Object.entries(phases))
  for (const [next, to] of Object.entries(phases)) {
    const fits = allowed.get(from)?.includes(to) === true;
    test(`from ${name} to ${next}: ${fits ? "goes" : "is a fault of ours"}`, () => {
      if (fits) expect(following(from, to)).toBe(to);
      else expect(() => following(from, to)).toThrow("a connection goes from phase");
    });
  }
