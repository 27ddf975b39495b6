/**
 * Tells the app how long its caller still waits, and answers 504 at once where so little is left that nothing could come of it.
 *
 * ```yaml
 * policies:
 * - use: deadline-propagate
 *   with: {tell: x-time-left-ms, least: 20}
 *   side: server
 * ```
 *
 * heddle itself hands deadlines on, in `grpc-timeout` and `x-request-deadline`, and ends what runs over; this is for apps that read
 * another header.
 */
import { definePolicy, next, respond } from "heddle/policy";
import * as v from "valibot";

export default definePolicy({
  api: 1,
  name: "deadline-propagate",
  version: "1.0.0",
  options: v.strictObject({
    tell: v.pipe(v.string(), v.nonEmpty(), v.toLowerCase()),
    /** Milliseconds. */
    least: v.optional(v.pipe(v.number(), v.minValue(0)), 0),
  }),
  onError: "open",
  onRequest(_request, context) {
    const { tell, least } = context.options;
    const { deadlineMs } = context;
    if (deadlineMs === Infinity) return next({ headers: { remove: [tell] } });
    if (deadlineMs < least) return respond(504, `${deadlineMs} ms are left`, "Too little time is left\n");
    return next({ headers: { set: { [tell]: String(Math.max(0, Math.round(deadlineMs))) } } });
  },
});
