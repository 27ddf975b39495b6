/**
 * Writes the beginning of a path anew; the longest one that fits counts, the query stays.
 *
 * ```yaml
 * policies:
 * - use: path-rewrite
 *   with: {prefixes: {/api/v1: /v1, /legacy: /}}
 * ```
 *
 * A prefix fits whole segments: `/api` fits `/api` and `/api/x`, not `/apix`. Access rules and the app see the new path.
 */
import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";

const path = v.pipe(v.string(), v.regex(/^\/[^?#\\]*$/));

export default definePolicy({
  api: 1,
  name: "path-rewrite",
  version: "1.0.0",
  options: v.strictObject({ prefixes: v.record(path, path) }),
  onError: "closed",
  onRequest(request, context) {
    const { path: given, query } = request;
    const [from, to] =
      Object.entries(context.options.prefixes)
        .filter(
          ([prefix]) => given === prefix || given.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`),
        )
        .sort(([one], [other]) => other.length - one.length)[0] ?? [];
    if (from === undefined || to === undefined) return next();
    const rest = given.slice(from.length).replace(/^\//, "");
    const written = `${to.replace(/\/$/, "")}/${rest}`;
    const whole = rest === "" && to !== "/" ? to : written;
    const search = query.toString();
    return next({ path: search === "" ? whole : `${whole}?${search}` });
  },
});
