/**
 * So many opaque connections at a time of each caller, at each proxy that is asked; more are closed.
 *
 * ```yaml
 * kind: Service
 * name: db
 * port: 5432
 * protocol: tcp
 * policies:
 * - use: connection-limit
 *   with: {limit: 50, overrides: {"spiffe://corp.example/ns/default/sa/batch": 5}}
 *   side: server
 * ```
 *
 * It counts connections that nobody looks into (protocol tcp, tls, or none declared): requests are `concurrency-limit`'s.
 */
import { definePolicy } from "heddle/policy";
import * as v from "valibot";

const limit = v.pipe(v.number(), v.integer(), v.minValue(1));

export default definePolicy({
  api: 1,
  name: "connection-limit",
  version: "1.0.0",
  options: v.strictObject({
    limit,
    /** Other limits, by identity. */
    overrides: v.optional(v.record(v.string(), limit), {}),
  }),
  state: () => new Map<string, number>(),
  onError: "open",
  onConnection(_connection, context) {
    const { limit: usual, overrides } = context.options;
    const who = context.source ?? "";
    const most = Object.hasOwn(overrides, who) ? (overrides[who] ?? usual) : usual;
    const key = `${context.service} ${who}`;
    const open = context.state.get(key) ?? 0;
    if (open >= most) return { allow: false, reason: `${open} connections are open, no more may be` };
    context.state.set(key, open + 1);
    context.scratch.set("key", key);
    return { allow: true };
  },
  onEnd(_summary, context) {
    const key = context.scratch.get("key");
    if (typeof key !== "string") return;
    const left = (context.state.get(key) ?? 1) - 1;
    if (left > 0) context.state.set(key, left);
    else context.state.delete(key);
  },
});
