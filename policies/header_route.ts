/**
 * Routes by the value of a request header: for beta users, for a tenant with instances of its own, for a version under test.
 *
 * ```yaml
 * policies:
 * - use: header-route
 *   with: {header: x-user-group, values: {beta: {service: inference, subset: v2}}}
 * ```
 *
 * A request without the header, or with a value that is not listed, goes on by its route.
 */
import { definePolicy, next, routeTo } from "heddle/policy";
import * as v from "valibot";

const target = v.strictObject({
  service: v.pipe(v.string(), v.nonEmpty()),
  subset: v.optional(v.string()),
});

export default definePolicy({
  api: 1,
  name: "header-route",
  version: "1.0.0",
  options: v.strictObject({
    /** Header that decides. */
    header: v.pipe(v.string(), v.nonEmpty(), v.toLowerCase()),
    /** Value of the header to where it leads. */
    values: v.record(v.string(), target),
  }),
  onError: "open",
  onRequest(request, context) {
    const value = request.headers.get(context.options.header);
    if (value === null || !Object.hasOwn(context.options.values, value)) return next();
    const chosen = context.options.values[value];
    if (chosen === undefined) return next();
    return routeTo(chosen.service, chosen.subset === undefined ? {} : { subset: chosen.subset });
  },
});
