/** `hedging` of a service or of the mesh. */
import * as v from "valibot";
import { parseDuration } from "../../base/duration.ts";
import { object, said } from "../fields.ts";
import { inMs, type TrafficPart } from "./traffic_part.ts";

const delayForm = "off, p95, or a duration of at least 1ms";
const delay = v.pipe(
  v.string(delayForm),
  v.check((text) => text === "off" || text === "p95" || (parseDuration(text) ?? 0) >= 1, delayForm),
);

const schema = object({
  delay: v.optional(
    said(
      delay,
      "After such a time without an answer the request is sent to a second instance, too; p95: after that of the service's answers, once 200 are known (default: off)",
    ),
  ),
});

export const hedging: TrafficPart<"hedging", typeof schema> = {
  schema,
  words:
    "Whether a slow request is sent to a second instance as well, and the first usable answer taken; only of what may happen twice, and paid for as a retry",
  expand: (written) => inMs(written, []),
};
