/** `limits` of a service or of the mesh: how much may be under way at a time. */
import * as v from "valibot";
import { limits as bounds } from "../../model/limits.ts";
import { object, said } from "../fields.ts";
import { atLeast, inMs, wholeNumber, type TrafficPart } from "./traffic_part.ts";

const count = wholeNumber(1, bounds.limitCountMax);

const schema = object({
  requests: v.optional(
    said(
      count,
      "Requests and opaque connections under way to it from one machine, shared by those that call; beyond a share they wait (default: 4096)",
    ),
  ),
  pending: v.optional(
    said(
      wholeNumber(0, bounds.limitCountMax),
      "Of those that wait; more are answered 503 at once (default: 4096)",
    ),
  ),
  pendingWait: v.optional(said(atLeast("1ms", 1), "For how long they wait at most, then 503 (default: 3s)")),
  requestsPerEndpoint: v.optional(
    said(count, "Requests under way from one calling service to one instance (default: no limit of its own)"),
  ),
  connectionsPerEndpoint: v.optional(
    said(
      count,
      "Connections of a proxy to its app, and of one calling service to one instance; of those that HTTP/2 shares 32 at most (default: 1024)",
    ),
  ),
  connections: v.optional(
    said(
      count,
      "Connections over all its instances, of one machine that calls it, opaque ones and those that carry requests, each kind by itself; and of a proxy to all its apps of the service. Beyond that the next one waits, then 503 (default: no limit of its own)",
    ),
  ),
});

export const limits: TrafficPart<"limits", typeof schema> = {
  schema,
  words: "How much may be under way to it at a time; beyond that requests wait, and then are answered 503",
  expand: (written) => inMs(written, ["pendingWait"]),
};
