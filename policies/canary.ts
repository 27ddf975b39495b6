/**
 * Sends a share of the requests to another subset, the same callers each time.
 *
 * ```yaml
 * policies:
 * - use: canary
 *   with: {service: orders, subset: v2, percent: 5, by: header, header: x-user}
 * ```
 *
 * A caller that has no such key (no header, no identity) is drawn for by request. Raising the percentage keeps those who were in.
 */
import { definePolicy, next, routeTo } from "heddle/policy";
import * as v from "valibot";

export default definePolicy({
  api: 1,
  name: "canary",
  version: "1.0.0",
  options: v.pipe(
    v.strictObject({
      service: v.pipe(v.string(), v.nonEmpty()),
      subset: v.optional(v.string()),
      percent: v.pipe(v.number(), v.minValue(0), v.maxValue(100)),
      /** What stays together: all requests of an identity, of one value of a header, or none. */
      by: v.optional(v.picklist(["identity", "header", "request"]), "identity"),
      header: v.optional(v.pipe(v.string(), v.nonEmpty(), v.toLowerCase())),
    }),
    v.forward(
      v.check(({ by, header }) => by !== "header" || header !== undefined, "by: header needs one"),
      ["header"],
    ),
  ),
  onError: "open",
  onRequest(request, context) {
    const { service, subset, percent, by, header = "" } = context.options;
    const key = by === "header" ? request.headers.get(header) : by === "identity" ? context.source : null;
    const drawn = context.hash(`${service} ${subset ?? ""} ${key ?? context.requestId}`) / 2 ** 32;
    const chosen = drawn * 100 < percent;
    context.count("requests", 1, { canary: String(chosen) });
    return chosen ? routeTo(service, subset === undefined ? {} : { subset }) : next();
  },
});
