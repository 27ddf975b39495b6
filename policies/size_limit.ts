/**
 * Refuses requests with a longer body than the app wants: 413, before a byte of it is forwarded.
 *
 * ```yaml
 * policies:
 * - use: size-limit
 *   with: {bytes: 1048576, undeclared: refuse}
 *   side: server
 * ```
 *
 * It goes by the length that is declared. A body without one (chunked, or a stream of HTTP/2) passes, unless `undeclared: refuse`
 * answers it 411. Of those that pass so, the ones that turn out to be longer are counted (`over`) and told in the log.
 */
import { definePolicy, next, respond } from "heddle/policy";
import * as v from "valibot";

const bodiless: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "DELETE", "TRACE"]);

export default definePolicy({
  api: 1,
  name: "size-limit",
  version: "1.0.0",
  options: v.strictObject({
    bytes: v.pipe(v.number(), v.integer(), v.minValue(0)),
    undeclared: v.optional(v.picklist(["allow", "refuse"]), "allow"),
  }),
  onError: "closed",
  onRequest(request, context) {
    const { bytes, undeclared } = context.options;
    const declared = request.headers.get("content-length");
    if (declared === null) {
      const mayHaveOne = request.headers.has("transfer-encoding") || !bodiless.has(request.method);
      context.scratch.set("undeclared", true);
      return undeclared === "refuse" && mayHaveOne
        ? respond(411, "its length is not declared", "Length required\n")
        : next();
    }
    return Number(declared) <= bytes
      ? next()
      : respond(413, `${declared} bytes, more than ${bytes}`, "Too large\n");
  },
  onEnd({ bytesIn }, context) {
    // What was refused sends no more than it had sent already.
    if (bytesIn <= context.options.bytes || context.scratch.get("undeclared") !== true) return;
    context.count("over");
    context.log("warn", `A request had ${bytesIn} bytes, more than ${context.options.bytes}`);
  },
});
