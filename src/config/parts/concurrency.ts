/** `concurrency` of a service or of the mesh: how many requests its instances on one machine serve at a time. */
import * as v from "valibot";
import { limits as bounds } from "../../model/limits.ts";
import { flag, object, said } from "../fields.ts";
import { atLeast, inMs, wholeNumber, type TrafficPart } from "./traffic_part.ts";

const count = wholeNumber(1, bounds.limitCountMax);

const schema = object({
  adaptive: v.optional(
    said(flag, "The number follows how long requests take, between min and max (default: false)"),
  ),
  min: v.optional(said(count, "It never follows below this (default: 4, or max where that is less)")),
  max: v.optional(said(count, "It is never above this, and this where it is not adaptive (default: 1000)")),
  pending: v.optional(
    said(
      wholeNumber(0, bounds.limitCountMax),
      "Requests that wait for their turn, what matters most first; more are answered 503 (default: 256)",
    ),
  ),
  pendingWait: v.optional(said(atLeast("1ms", 1), "For how long they wait at most, then 503 (default: 1s)")),
});

export const concurrency: TrafficPart<"concurrency", typeof schema> = {
  schema,
  words: "How many requests its instances on one machine serve at a time; streams are not counted",
  expand: (written) => inMs(written, ["pendingWait"]),
  check({ min, max }, written, report) {
    if (written.min !== undefined && min > max)
      report("min", `the least, ${min}, is more than the most (max), ${max}`);
  },
};
