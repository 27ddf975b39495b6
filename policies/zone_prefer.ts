/**
 * Prefers instances by the zone they stand in, in this order, and lets a share of the requests go anywhere.
 *
 * ```yaml
 * policies:
 * - use: zone-prefer
 *   with: {zones: [eu-1a, eu-1b], spillover: 5, busy: 50}
 * ```
 *
 * In a zone the instance with the fewest requests under way comes first. An instance with more than `busy` of them is passed over.
 * The proxy's own zone is preferred without any policy (`zones` of `kind: Traffic`).
 */
import { definePolicy } from "heddle/policy";
import * as v from "valibot";

export default definePolicy({
  api: 1,
  name: "zone-prefer",
  version: "1.0.0",
  options: v.strictObject({
    zones: v.pipe(v.array(v.pipe(v.string(), v.nonEmpty())), v.minLength(1)),
    /** Percent of the requests for which zones do not matter. */
    spillover: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(100)), 0),
    busy: v.optional(v.pipe(v.number(), v.minValue(1)), 1_000_000),
  }),
  onError: "open",
  pick(endpoints, _request, context) {
    const { zones, spillover, busy } = context.options;
    if (context.random() * 100 < spillover) return null;
    const rank = (zone: string): number => zones.indexOf(zone);
    const near = endpoints.filter(({ zone, inflight }) => rank(zone) >= 0 && inflight <= busy);
    if (near.length === 0) return null;
    const start = Math.floor(context.random() * near.length);
    return [...near.slice(start), ...near.slice(0, start)]
      .sort((one, other) => rank(one.zone) - rank(other.zone) || one.inflight - other.inflight)
      .map(({ id }) => id);
  },
});
