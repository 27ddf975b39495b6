/**
 * Lets a request that must not happen twice happen once, by the key that its client gives it (`Idempotency-Key`), at each instance's
 * own proxy.
 *
 * ```yaml
 * policies:
 * - use: idempotency-key
 *   with: {methods: [POST], within: 3600, required: true}
 *   side: server
 * ```
 *
 * While the first is under way, and for so many seconds after it went well, another one of the same caller, key and path is answered
 * 409. One that failed with 5xx, or that nobody answered, may be sent again. It keeps no answers: a client that wants the first one's
 * answer asks for the result. What two instances got at the same moment both happen; `header` and sticky routing bring them together.
 */
import { definePolicy, next, respond } from "heddle/policy";
import * as v from "valibot";

const keysMax = 50_000;

export default definePolicy({
  api: 1,
  name: "idempotency-key",
  version: "1.0.0",
  options: v.strictObject({
    header: v.optional(v.pipe(v.string(), v.nonEmpty(), v.toLowerCase()), "idempotency-key"),
    methods: v.optional(v.array(v.pipe(v.string(), v.toUpperCase())), ["POST", "PATCH"]),
    /** Seconds. */
    within: v.optional(v.pipe(v.number(), v.minValue(1)), 86_400),
    /** A request without a key is answered 400. */
    required: v.optional(v.boolean(), false),
  }),
  /** Until when each counts; Infinity while it is under way. */
  state: () => new Map<string, number>(),
  onError: "closed",
  onRequest(request, context) {
    const { header, methods, required } = context.options;
    if (!methods.includes(request.method)) return next();
    const key = request.headers.get(header);
    if (key === null)
      return required ? respond(400, "without a key", `The header ${header} is missing\n`) : next();
    const name = JSON.stringify([context.service, context.source, request.method, request.path, key]);
    const untilMs = context.state.get(name) ?? 0;
    if (untilMs === Infinity) return respond(409, "the first is under way", "This request is under way\n");
    if (untilMs > context.now()) return respond(409, "it was done", "This request was done already\n");
    if (context.state.size >= keysMax) {
      const [oldest] = [...context.state].find(([, each]) => each !== Infinity) ?? [];
      if (oldest === undefined) return respond(503, "too many are under way", "Try again later\n");
      context.state.delete(oldest);
    }
    context.state.delete(name);
    context.state.set(name, Infinity);
    context.scratch.set("name", name);
    return next();
  },
  onEnd({ status }, context) {
    const name = context.scratch.get("name");
    if (typeof name !== "string") return;
    context.state.delete(name);
    if (status === 0 || status >= 500) return;
    context.state.set(name, context.now() + context.options.within * 1_000);
  },
});
