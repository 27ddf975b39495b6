/**
 * Answers 503 while a service is worked on, but for those who test it.
 *
 * ```yaml
 * policies:
 * - use: maintenance
 *   with: {retryAfter: 300, message: "Back at ten", paths: [/checkout], except: {x-tester: "yes"}}
 * ```
 */
import { definePolicy, next, respond } from "heddle/policy";
import * as v from "valibot";

export default definePolicy({
  api: 1,
  name: "maintenance",
  version: "1.0.0",
  options: v.strictObject({
    /** False leaves it prepared. */
    on: v.optional(v.boolean(), true),
    /** Seconds. */
    retryAfter: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 60),
    message: v.optional(v.pipe(v.string(), v.maxLength(1_000)), "This service is being worked on"),
    /** Paths that are closed, with what is below them; without it all are. */
    paths: v.optional(v.array(v.pipe(v.string(), v.startsWith("/")))),
    /** Headers whose values let a request through. */
    except: v.optional(v.record(v.pipe(v.string(), v.toLowerCase()), v.string()), {}),
  }),
  onError: "open",
  onRequest(request, context) {
    const { on, retryAfter, message, paths, except } = context.options;
    const below = (path: string): boolean =>
      request.path === path || request.path.startsWith(path.endsWith("/") ? path : `${path}/`);
    if (!on || (paths !== undefined && !paths.some(below))) return next();
    if (Object.entries(except).some(([name, value]) => request.headers.get(name) === value)) return next();
    return respond(503, "maintenance", `${message}\n`, { "retry-after": String(retryAfter) });
  },
});
