/**
 * So many requests within a time for each caller in the whole mesh, whichever proxies they come to: a counter per identity, or per value
 * of a header, of which each proxy has the slice that it needs.
 *
 * ```yaml
 * policies:
 * - use: global-rate-limit
 *   with: {limit: 1000, within: 1m, by: x-api-key, overrides: {gold: 10000}}
 * ```
 *
 * More are answered 429 with `retry-after`. A caller that moves to other proxies has its slices there a second or two later; nobody waits
 * for the network. What a service takes in all is `rateLimit.mesh` of `kind: Traffic`, and what one proxy lets pass is `rate-limit`.
 */
import { definePolicy, next, respond, type Duration } from "heddle/policy";
import * as v from "valibot";

const duration = v.custom<Duration>(
  (value) => typeof value === "string" && /^[1-9]\d{0,5}(ms|s|m|h)$/.test(value),
  "expected a duration such as 10s",
);
const limit = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1e9));

export default definePolicy({
  api: 1,
  name: "global-rate-limit",
  version: "1.0.0",
  options: v.strictObject({
    limit,
    within: duration,
    /** Header that tells callers apart; without it their identity does. */
    by: v.optional(v.pipe(v.string(), v.nonEmpty(), v.toLowerCase())),
    /** Other limits, by the value. */
    overrides: v.optional(v.record(v.string(), limit), {}),
  }),
  onError: "open",
  async onRequest(request, context) {
    const { by, within, overrides, limit: usual } = context.options;
    const key = (by === undefined ? context.source : request.headers.get(by)) ?? "";
    const most = Object.hasOwn(overrides, key) ? (overrides[key] ?? usual) : usual;
    const { ok, resetMs } = await context.shared.take(key, 1, most, within);
    if (ok) return next();
    context.count("refused");
    const retryAfter = String(Math.max(1, Math.ceil(resetMs / 1000)));
    return respond(429, `more than ${most} within ${within} in the mesh`, "Too many requests\n", {
      "retry-after": retryAfter,
    });
  },
});
