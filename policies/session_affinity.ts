/**
 * Keeps a client at the instance that first answered it, by a cookie that names the instance to nobody.
 *
 * ```yaml
 * policies:
 * - use: session-affinity
 *   with: {cookie: shop-session, maxAge: 3600}
 * ```
 *
 * When the instance is gone the balancer chooses, and the cookie follows. Sessions that nobody can steer are `sessionPersistence`
 * of `kind: Traffic`; this one works where cookies need other attributes.
 */
import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";

export default definePolicy({
  api: 1,
  name: "session-affinity",
  version: "1.0.0",
  options: v.strictObject({
    cookie: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]{1,64}$/)),
    /** Seconds; without it the cookie ends with the browser. */
    maxAge: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
    path: v.optional(v.pipe(v.string(), v.regex(/^\/[A-Za-z0-9/_.-]*$/)), "/"),
    sameSite: v.optional(v.picklist(["Strict", "Lax", "None"]), "Lax"),
    secure: v.optional(v.boolean(), true),
  }),
  onError: "open",
  onRequest(request, context) {
    const wanted = `${context.options.cookie}=`;
    const found = request.headers
      .getAll("cookie")
      .flatMap((line) => line.split(";"))
      .map((part) => part.trim())
      .find((part) => part.startsWith(wanted));
    if (found !== undefined) context.scratch.set("token", found.slice(wanted.length));
    return next();
  },
  pick(endpoints, _request, context) {
    const token = context.scratch.get("token");
    const kept = endpoints.find(({ id }) => String(context.hash(id)) === token);
    return kept === undefined ? null : [kept.id];
  },
  onResponse(response, context) {
    const token = String(context.hash(response.endpoint));
    if (context.scratch.get("token") === token || response.endpoint === "") return next();
    const { cookie, maxAge, path, sameSite, secure } = context.options;
    const parts = [`${cookie}=${token}`, `Path=${path}`, "HttpOnly", `SameSite=${sameSite}`];
    if (secure) parts.push("Secure");
    if (maxAge !== undefined) parts.push(`Max-Age=${maxAge}`);
    return next({ headers: { add: { "set-cookie": parts.join("; ") } } });
  },
});
