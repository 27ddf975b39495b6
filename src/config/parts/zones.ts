/** `zones` of a service or of the mesh. */
import * as v from "valibot";
import { limits } from "../../model/limits.ts";
import { list, name, object, said } from "../fields.ts";
import { inMs, type TrafficPart } from "./traffic_part.ts";

const schema = object({
  prefer: v.optional(
    said(
      v.picklist(["nearest", "none"], "nearest or none"),
      "nearest: instances in the caller's own zone first, then in its region, then the rest; none: all alike (default: nearest)",
    ),
  ),
  failover: v.optional(
    said(
      list(name, limits.zonesMax, 1),
      "Zones in the order in which they stand in for the caller's own; others come last (default: by nearness)",
    ),
  ),
});

export const zones: TrafficPart<"zones", typeof schema> = {
  schema,
  words: "Which zone a call goes to, where Machine documents say in which they stand",
  expand: (written) => inMs(written, []),
  check({ prefer, failover }, { failover: own }, report) {
    if (failover === null) return;
    const twice = failover.find((zone, at) => failover.indexOf(zone) !== at);
    if (twice !== undefined) report("failover", `the zone ${twice} stands there twice`);
    if (prefer === "none" && own !== undefined)
      report("failover", "with prefer none there is no order of zones");
  },
};
