/**
 * Sends all requests to one of two subsets, and those that ask for it to the other: one word in the document changes over.
 *
 * ```yaml
 * policies:
 * - use: blue-green
 *   with: {service: orders, active: blue, preview: {header: x-preview, subset: green}}
 * ```
 */
import { definePolicy, routeTo } from "heddle/policy";
import * as v from "valibot";

export default definePolicy({
  api: 1,
  name: "blue-green",
  version: "1.0.0",
  options: v.strictObject({
    service: v.pipe(v.string(), v.nonEmpty()),
    active: v.pipe(v.string(), v.nonEmpty()),
    /** Requests with this header, whatever its value, go to this subset. */
    preview: v.optional(
      v.strictObject({
        header: v.pipe(v.string(), v.nonEmpty(), v.toLowerCase()),
        subset: v.pipe(v.string(), v.nonEmpty()),
      }),
    ),
  }),
  onError: "closed",
  onRequest(request, context) {
    const { service, active, preview } = context.options;
    const asked = preview !== undefined && request.headers.has(preview.header);
    return routeTo(service, { subset: asked ? preview.subset : active });
  },
});
