/**
 * Sends a copy of some requests to another service; nobody gets its answers.
 *
 * ```yaml
 * policies:
 * - use: mirror
 *   with: {to: orders-next, percent: 10, methods: [GET], by: x-user}
 * ```
 *
 * The proxy makes the copies, within its own bounds (`mirrorsMax`, `mirrorBodyBytesMax`); a route says the same as `mirror`. This is
 * for a choice by method, or of whole users: with `by` all requests of one value of the header are copied, or none.
 */
import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";

export default definePolicy({
  api: 1,
  name: "mirror",
  version: "1.0.0",
  options: v.strictObject({
    to: v.pipe(v.string(), v.nonEmpty()),
    percent: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(100)), 100),
    /** Empty: all. */
    methods: v.optional(v.array(v.pipe(v.string(), v.toUpperCase())), []),
    by: v.optional(v.pipe(v.string(), v.nonEmpty(), v.toLowerCase())),
  }),
  onError: "open",
  onRequest(request, context) {
    const { to, percent, methods, by } = context.options;
    if (methods.length > 0 && !methods.includes(request.method)) return next();
    const key = by === undefined ? null : request.headers.get(by);
    const drawn = context.hash(`${to} ${key ?? context.requestId}`) / 2 ** 32;
    return drawn * 100 < percent ? next({ mirror: to }) : next();
  },
});
