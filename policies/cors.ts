/**
 * Answers preflight requests of browsers, and says on answers which origins may read them (the Fetch standard's CORS protocol).
 *
 * ```yaml
 * policies:
 * - use: cors
 *   with: {origins: ["https://shop.example"], methods: [GET, POST], headers: [content-type], maxAge: 600}
 * ```
 */
import { definePolicy, next, respond } from "heddle/policy";
import * as v from "valibot";

const token = v.pipe(v.string(), v.regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/));

export default definePolicy({
  api: 1,
  name: "cors",
  version: "1.0.0",
  options: v.pipe(
    v.strictObject({
      /** As browsers send them, or `*` for all. */
      origins: v.pipe(v.array(v.pipe(v.string(), v.nonEmpty())), v.minLength(1)),
      methods: v.optional(v.array(v.pipe(token, v.toUpperCase())), ["GET", "HEAD", "POST"]),
      /** That a request may carry beside the usual ones. */
      headers: v.optional(v.array(token), []),
      /** That scripts may read beside the usual ones. */
      expose: v.optional(v.array(token), []),
      credentials: v.optional(v.boolean(), false),
      /** Seconds for which a preflight holds. */
      maxAge: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 5),
    }),
    v.forward(
      v.check(
        ({ origins, credentials }) => !(credentials && origins.includes("*")),
        "* cannot be had with credentials",
      ),
      ["origins"],
    ),
  ),
  onError: "closed",
  onRequest(request, context) {
    const { origins, methods, headers, credentials, maxAge } = context.options;
    const origin = request.headers.get("origin");
    if (origin === null) return next();
    const all = origins.includes("*");
    const allowed = all || origins.includes(origin);
    if (allowed) context.scratch.set("origin", all ? "*" : origin);
    const asked = request.headers.get("access-control-request-method");
    if (request.method !== "OPTIONS" || asked === null) return next();
    if (!allowed) return respond(403, `the origin ${origin} is not among those that may`, "Forbidden\n");
    return respond(204, "a preflight", undefined, {
      "access-control-allow-origin": all ? "*" : origin,
      "access-control-allow-methods": methods.join(", "),
      ...(headers.length === 0 ? {} : { "access-control-allow-headers": headers.join(", ") }),
      ...(credentials ? { "access-control-allow-credentials": "true" } : {}),
      "access-control-max-age": String(maxAge),
      vary: "origin",
    });
  },
  onResponse(_response, context) {
    const origin = context.scratch.get("origin");
    if (typeof origin !== "string") return next({ headers: { add: { vary: "origin" } } });
    const { expose, credentials } = context.options;
    return next({
      headers: {
        set: {
          "access-control-allow-origin": origin,
          ...(expose.length === 0 ? {} : { "access-control-expose-headers": expose.join(", ") }),
          ...(credentials ? { "access-control-allow-credentials": "true" } : {}),
        },
        add: { vary: "origin" },
      },
    });
  },
});
