/**
 * So many requests under way at a time for each caller, at each proxy that is asked.
 *
 * ```yaml
 * policies:
 * - use: concurrency-limit
 *   with: {limit: 20, overrides: {"spiffe://corp.example/ns/default/sa/batch": 2}}
 *   side: server
 * ```
 *
 * More are answered 429. What a service serves at a time in all is `concurrency` of `kind: Traffic`.
 */
import { definePolicy, next, respond } from "heddle/policy";
import * as v from "valibot";

const limit = v.pipe(v.number(), v.integer(), v.minValue(1));

export default definePolicy({
  api: 1,
  name: "concurrency-limit",
  version: "1.0.0",
  options: v.strictObject({
    limit,
    /** Header that tells callers apart; without it their identity does. */
    by: v.optional(v.pipe(v.string(), v.nonEmpty(), v.toLowerCase())),
    overrides: v.optional(v.record(v.string(), limit), {}),
  }),
  state: () => new Map<string, number>(),
  onError: "open",
  onRequest(request, context) {
    const { by, overrides, limit: usual } = context.options;
    const who = (by === undefined ? context.source : request.headers.get(by)) ?? "";
    const most = Object.hasOwn(overrides, who) ? (overrides[who] ?? usual) : usual;
    const key = `${context.service} ${who}`;
    const open = context.state.get(key) ?? 0;
    if (open >= most) {
      context.count("refused");
      return respond(429, `${open} requests are under way, no more may be`, "Too many requests at a time\n");
    }
    context.state.set(key, open + 1);
    context.scratch.set("key", key);
    return next();
  },
  onEnd(_summary, context) {
    const key = context.scratch.get("key");
    if (typeof key !== "string") return;
    const left = (context.state.get(key) ?? 1) - 1;
    if (left > 0) context.state.set(key, left);
    else context.state.delete(key);
  },
});
