/**
 * Divides callers into variants of an experiment, each always into the same, and tells the app which.
 *
 * ```yaml
 * policies:
 * - use: ab-test
 *   with:
 *     experiment: checkout-2
 *     by: x-user
 *     variants: [{name: a, weight: 1}, {name: b, weight: 1, service: shop, subset: v2}]
 * ```
 *
 * The app finds the variant in `x-variant`. A request without the header takes no part.
 */
import { definePolicy, next, routeTo } from "heddle/policy";
import * as v from "valibot";

const variant = v.strictObject({
  name: v.pipe(v.string(), v.regex(/^[A-Za-z0-9._-]{1,64}$/)),
  weight: v.pipe(v.number(), v.minValue(0)),
  service: v.optional(v.pipe(v.string(), v.nonEmpty())),
  subset: v.optional(v.string()),
});

export default definePolicy({
  api: 1,
  name: "ab-test",
  version: "1.0.0",
  options: v.strictObject({
    /** Another name divides the same callers anew. */
    experiment: v.pipe(v.string(), v.nonEmpty()),
    /** Header by which callers are told apart. */
    by: v.pipe(v.string(), v.nonEmpty(), v.toLowerCase()),
    variants: v.pipe(
      v.array(variant),
      v.check((all) => all.some(({ weight }) => weight > 0), "one of them needs a weight above 0"),
    ),
    /** Header in which the app finds the variant. */
    tell: v.optional(v.pipe(v.string(), v.nonEmpty(), v.toLowerCase()), "x-variant"),
  }),
  onError: "open",
  onRequest(request, context) {
    const { experiment, by, variants, tell } = context.options;
    const who = request.headers.get(by);
    if (who === null) return next({ headers: { remove: [tell] } });
    const total = variants.reduce((sum, { weight }) => sum + weight, 0);
    let left = (context.hash(`${experiment} ${who}`) / 2 ** 32) * total;
    const chosen = variants.find(({ weight }) => (left -= weight) < 0) ?? variants[0];
    if (chosen === undefined) return next();
    context.count("requests", 1, { experiment, variant: chosen.name });
    const headers = { set: { [tell]: chosen.name } };
    const { service, subset } = chosen;
    if (service === undefined) return next({ headers });
    return routeTo(service, subset === undefined ? { headers } : { subset, headers });
  },
});
