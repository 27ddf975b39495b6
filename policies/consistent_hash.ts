/**
 * Sends requests of one key to the same instance, and no more to one than its share times a factor: what is above goes to the next.
 *
 * ```yaml
 * policies:
 * - use: consistent-hash
 *   with: {header: x-tenant, factor: 1.5}
 * ```
 *
 * When an instance comes or goes only its own keys move. `balance: {strategy: ring-hash}` of `kind: Traffic` does the same for less,
 * without the bound.
 */
import { definePolicy } from "heddle/policy";
import * as v from "valibot";

export default definePolicy({
  api: 1,
  name: "consistent-hash",
  version: "1.0.0",
  options: v.strictObject({
    header: v.pipe(v.string(), v.nonEmpty(), v.toLowerCase()),
    /** An instance takes so many times the requests under way that are its share. */
    factor: v.optional(v.pipe(v.number(), v.minValue(1)), 1.25),
  }),
  onError: "open",
  pick(endpoints, request, context) {
    const { header, factor } = context.options;
    const key = request.headers.get(header);
    if (key === null) return null;
    const total = endpoints.reduce((sum, { inflight }) => sum + inflight, 1);
    const most = Math.ceil((total / endpoints.length) * factor);
    // Rendezvous hashing: each instance draws for each key, the highest wins.
    return endpoints
      .map(({ id, inflight }) => ({ id, drawn: context.hash(`${key} ${id}`), full: inflight >= most }))
      .sort((one, other) => Number(one.full) - Number(other.full) || other.drawn - one.drawn)
      .map(({ id }) => id);
  },
});
