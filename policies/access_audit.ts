/**
 * Keeps a line in the log of the proxy for each request that is worth one: who called, what, and how it ended.
 *
 * ```yaml
 * kind: Mesh
 * name: mesh
 * policies:
 * - use: access-audit
 *   with: {methods: [POST, PUT, PATCH, DELETE], paths: [/admin]}
 *   side: server
 * ```
 *
 * Lines are bounded for each policy; all are counted in `heddle_policy_counted_total`. Nothing of a query or a body is told.
 */
import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";

export default definePolicy({
  api: 1,
  name: "access-audit",
  version: "1.0.0",
  options: v.strictObject({
    /** Without it all. */
    methods: v.optional(v.array(v.pipe(v.string(), v.toUpperCase()))),
    /** Without it all; with what is below them. */
    paths: v.optional(v.array(v.pipe(v.string(), v.startsWith("/")))),
  }),
  onError: "open",
  onRequest(request, context) {
    const { methods, paths } = context.options;
    const below = (path: string): boolean =>
      request.path === path || request.path.startsWith(path.endsWith("/") ? path : `${path}/`);
    const wanted = (methods?.includes(request.method) ?? true) && (paths?.some(below) ?? true);
    if (wanted) context.scratch.set("what", `${request.method} ${request.path}`);
    return next();
  },
  onEnd({ status, flag }, context) {
    const what = context.scratch.get("what");
    if (typeof what !== "string") return;
    const who = context.source ?? "nobody known";
    context.log("info", `${who} ${what} of ${context.service}: ${status}${flag === "" ? "" : ` ${flag}`}`);
    context.count("audited", 1, { status: `${Math.floor(status / 100)}xx` });
  },
});
