/** `circuitBreaking` of a service or of the mesh. */
import * as v from "valibot";
import { limits } from "../../model/limits.ts";
import { object, said } from "../fields.ts";
import { atLeast, inMs, percent, wholeNumber, type TrafficPart } from "./traffic_part.ts";

const count = (least: number) => wholeNumber(least, limits.breakerCountMax);

const schema = object({
  failures: v.optional(
    said(count(0), "Failures in a row after which an instance is out; 0: not by a streak (default: 5)"),
  ),
  successPercent: v.optional(
    said(
      percent,
      "An instance is out with fewer successes within the window; 0: not by their share (default: 80)",
    ),
  ),
  window: v.optional(said(atLeast("100ms", 100), "How far back answers count (default: 10s)")),
  answers: v.optional(said(count(1), "How many of them there must be (default: 5)")),
  penalty: v.optional(
    said(atLeast("10ms", 10), "For how long it is out at first; twice as long each time (default: 1s)"),
  ),
  penaltyMax: v.optional(said(atLeast("10ms", 10), "For how long at most (default: 1m)")),
  ejectedPercent: v.optional(
    said(
      percent,
      "Instances that may be out at a time; one is always left; 0 turns it off, and nobody is ever out (default: 50)",
    ),
  ),
});

export const circuitBreaking: TrafficPart<"circuitBreaking", typeof schema> = {
  schema,
  words: "When an instance that fails gets no requests, and for how long",
  expand: (written) => inMs(written, ["window", "penalty", "penaltyMax"]),
  check({ penaltyMs, penaltyMaxMs }, written, report) {
    if (penaltyMs <= penaltyMaxMs) return;
    const message = `the first penalty, ${penaltyMs} ms, is longer than the longest (penaltyMax), ${penaltyMaxMs} ms`;
    report(written.penaltyMs === undefined ? "penaltyMax" : "penalty", message);
  },
};
