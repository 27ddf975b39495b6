/**
 * So many requests within a time for each caller, at each proxy that is asked: a bucket per identity, or per value of a header.
 *
 * ```yaml
 * policies:
 * - use: rate-limit
 *   with: {limit: 100, within: 1s, by: x-api-key, overrides: {gold: 1000}}
 * ```
 *
 * More are answered 429 with `retry-after`. What a service takes in all, whoever calls, is `rateLimit` of `kind: Traffic`, which
 * costs less. With `side: server` nobody can pass it by.
 */
import { definePolicy, next, respond, type Duration } from "heddle/policy";
import * as v from "valibot";

const duration = v.custom<Duration>(
  (value) => typeof value === "string" && /^[1-9]\d*(ms|s|m|h)$/.test(value),
  "expected a duration such as 10s",
);
const limit = v.pipe(v.number(), v.minValue(1));

export default definePolicy({
  api: 1,
  name: "rate-limit",
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
  onRequest(request, context) {
    const { by, within, overrides, limit: usual } = context.options;
    const key = (by === undefined ? context.source : request.headers.get(by)) ?? "";
    const most = Object.hasOwn(overrides, key) ? (overrides[key] ?? usual) : usual;
    const { ok, resetMs } = context.local.take(key, 1, most, within);
    if (ok) return next();
    context.count("refused");
    const retryAfter = String(Math.max(1, Math.ceil(resetMs / 1000)));
    return respond(429, `more than ${most} within ${within}`, "Too many requests\n", {
      "retry-after": retryAfter,
    });
  },
});
