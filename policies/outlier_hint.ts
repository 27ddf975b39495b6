/**
 * Says which answers mean that an instance does not work, where their status does not: those count towards its ejection as a 5xx does.
 *
 * ```yaml
 * policies:
 * - use: outlier-hint
 *   with: {fields: {x-degraded: "true"}, codes: [429], slowMs: 5000}
 * ```
 *
 * An answer is a failure when one of these holds: a field of its head has that value, its status is one of `codes`, its instance, once
 * it had all of the request, took longer than `slowMs` to begin it. The answer itself goes on as it came. When an instance is out, for how long, and how many may be out at a time, is
 * `circuitBreaking` of Traffic; 5xx and what breaks off counts anyway.
 */
import { definePolicy, pass } from "heddle/policy";
import * as v from "valibot";

export default definePolicy({
  api: 1,
  name: "outlier-hint",
  version: "1.0.0",
  options: v.strictObject({
    fields: v.optional(v.record(v.pipe(v.string(), v.nonEmpty(), v.toLowerCase()), v.string()), {}),
    codes: v.optional(v.array(v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(499))), []),
    slowMs: v.optional(v.pipe(v.number(), v.minValue(1))),
  }),
  onError: "open",
  onResponse({ status, headers, instanceMs }, context) {
    const { fields, codes, slowMs = Infinity } = context.options;
    const marked = Object.entries(fields).some(([name, value]) => headers.get(name) === value);
    // A heddle of before does not say how long it took.
    if (!marked && !codes.includes(status) && !(instanceMs > slowMs)) return pass();
    context.count("failed", 1, { service: context.service });
    return pass({ failed: true });
  },
});
