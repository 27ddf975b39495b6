/**
 * Says for some requests how often and after what they are sent again, and whether a slow one is sent to two instances.
 *
 * ```yaml
 * policies:
 * - use: retry-policy
 *   with:
 *     keyed: idempotency-key
 *     rules:
 *     - {methods: [GET], path: /search/, attempts: 3, codes: [429, 503], perTry: 300ms, hedge: p95}
 *     - {path: /payments/, attempts: 0}
 * ```
 *
 * The first rule that fits counts; what none fits, and what a rule does not say, is as the route or the service says. The proxy retries,
 * within the budget of the service (20 % of its requests and 10 a second, unless `retryBudget` says otherwise). A request with the field
 * that `keyed` names may be sent again whatever its method is.
 */
import { definePolicy, next, type Duration } from "heddle/policy";
import * as v from "valibot";

const form = "a duration such as 300ms";
const duration = v.custom<Duration>(
  (value) => typeof value === "string" && /^[1-9][0-9]{0,4}(?:ms|s|m|h)$/.test(value),
  form,
);

export default definePolicy({
  api: 1,
  name: "retry-policy",
  version: "1.0.0",
  options: v.strictObject({
    keyed: v.optional(v.pipe(v.string(), v.nonEmpty(), v.toLowerCase())),
    rules: v.pipe(
      v.array(
        v.strictObject({
          /** Absent: all. */
          methods: v.optional(v.array(v.pipe(v.string(), v.toUpperCase()))),
          /** What paths begin with. */
          path: v.optional(v.pipe(v.string(), v.startsWith("/")), "/"),
          attempts: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(10))),
          codes: v.optional(v.array(v.pipe(v.number(), v.integer(), v.minValue(400), v.maxValue(599)))),
          perTry: v.optional(duration),
          hedge: v.optional(v.union([v.picklist(["off", "p95"]), duration], `off, p95 or ${form}`)),
        }),
      ),
      v.minLength(1),
      v.maxLength(64),
    ),
  }),
  onError: "open",
  onRequest(request, context) {
    const { keyed, rules } = context.options;
    const idempotent = keyed !== undefined && request.headers.has(keyed);
    const rule = rules.find(
      ({ methods, path }) => request.path.startsWith(path) && (methods?.includes(request.method) ?? true),
    );
    const { attempts, codes, perTry, hedge } = rule ?? {};
    const retries = {
      ...(attempts === undefined ? {} : { attempts }),
      ...(codes === undefined ? {} : { codes }),
      ...(perTry === undefined ? {} : { perTry }),
      ...(idempotent ? { idempotent } : {}),
    };
    return next({ retries, ...(hedge === undefined ? {} : { hedge }) });
  },
});
