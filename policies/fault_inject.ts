/**
 * Answers a share of the requests with a failure, to see what callers make of it.
 *
 * ```yaml
 * policies:
 * - use: fault-inject
 *   with: {percent: 10, status: 503, guard: {header: x-chaos, value: "on"}}
 * ```
 *
 * Only requests with the guard's header are touched: nobody is who did not ask. It has no delays: a policy has no timer.
 */
import { definePolicy, next, respond } from "heddle/policy";
import * as v from "valibot";

export default definePolicy({
  api: 1,
  name: "fault-inject",
  version: "1.0.0",
  options: v.strictObject({
    percent: v.pipe(v.number(), v.minValue(0), v.maxValue(100)),
    status: v.optional(v.pipe(v.number(), v.integer(), v.minValue(400), v.maxValue(599)), 503),
    guard: v.strictObject({
      header: v.pipe(v.string(), v.nonEmpty(), v.toLowerCase()),
      value: v.pipe(v.string(), v.nonEmpty()),
    }),
  }),
  onError: "open",
  onRequest(request, context) {
    const { percent, status, guard } = context.options;
    if (request.headers.get(guard.header) !== guard.value) return next();
    if (context.random() * 100 >= percent) return next();
    context.count("injected", 1, { status: String(status) });
    return respond(status, "an injected fault", "Injected fault\n");
  },
});
