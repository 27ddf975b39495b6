/**
 * Asks a service of yours whether a request may pass, as forward authentication of other proxies does: a GET with the method, host and
 * path of the request in `x-forwarded-method`, `-host` and `-uri`, and those of its headers that are named.
 *
 * ```yaml
 * policies:
 * - use: ext-authz
 *   with: {service: authz, path: /check, send: [authorization, cookie], copy: [x-user], cache: {by: [authorization], for: 10s}}
 * ```
 *
 * An answer of 200 to 299 lets it pass, with the headers under `copy` as that service gives them and never as the client does; any other below 500
 * goes to the client. Without an answer within 200 ms, or with one of 500 and more, nothing passes. `cache` keeps answers for the same
 * method, path and values of those headers, where these have 1,000 characters at most together. Requests to that service itself are not asked about.
 */
import { definePolicy, next, respond, type Duration, type ServiceAnswer } from "heddle/policy";
import * as v from "valibot";

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const duration = v.custom<Duration>(
  (value) => typeof value === "string" && /^[1-9]\d{0,6}(ms|s|m|h)$/.test(value),
  "expected a duration such as 10s",
);
const names = v.array(v.pipe(v.string(), v.nonEmpty(), v.toLowerCase()));

/** What was answered, and until when it holds. */
interface Kept {
  readonly untilMs: number;
  readonly copied: Readonly<Record<string, string>>;
}
const keptMax = 5_000;
/** Characters of what an answer is kept by. What a client makes longer is asked about each time: many such would fill the memory. */
const keyLengthMax = 1_000;

/** What of a refusal goes to the client. */
const told = ["content-type", "location", "set-cookie", "www-authenticate"];

/** The first value of each that is there. */
function valuesOf(answer: ServiceAnswer, wanted: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    wanted.flatMap((name) => {
      const [value] = answer.headers.getAll(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** These headers, and those of the request that pose as them: CGI and its heirs cannot tell `_` from `-`. */
function withPosing(
  names: readonly string[],
  headers: Iterable<readonly [name: string, value: string]>,
): string[] {
  const plain = new Set(names.map((name) => name.replaceAll("_", "-")));
  const posing = [...headers].flatMap(([name]) => (plain.has(name.replaceAll("_", "-")) ? [name] : []));
  return [...new Set([...names, ...posing])];
}

export default definePolicy({
  api: 1,
  name: "ext-authz",
  version: "1.0.0",
  options: v.strictObject({
    service: v.pipe(v.string(), v.nonEmpty()),
    path: v.optional(v.pipe(v.string(), v.startsWith("/")), "/"),
    /** Headers of the request that it gets. */
    send: v.optional(names, ["authorization", "cookie"]),
    /** Headers of its answer that the request gets. */
    copy: v.optional(names, []),
    cache: v.optional(v.strictObject({ by: v.pipe(names, v.minLength(1)), for: duration })),
  }),
  onError: "closed",
  limits: { wait: "200ms" },
  state: () => new Map<string, Kept>(),
  async onRequest(request, context) {
    const { service, path, send, copy, cache } = context.options;
    const namespace = context.service.slice(context.service.indexOf(".") + 1);
    if (context.service === (service.includes(".") ? service : `${service}.${namespace}`)) return next();
    const pass = (copied: Readonly<Record<string, string>>) =>
      next({ headers: { remove: withPosing(copy, request.headers), set: copied } });
    const query = request.query.toString();
    const uri = query === "" ? request.path : `${request.path}?${query}`;
    const values = (cache?.by ?? []).map((name) => request.headers.getAll(name));
    const key = JSON.stringify([context.service, request.method, request.host, uri, values]);
    const kept = cache === undefined ? undefined : context.state.get(key);
    if (kept !== undefined && kept.untilMs > context.now()) return pass(kept.copied);

    const headers: Record<string, string> = {
      "x-forwarded-method": request.method,
      "x-forwarded-host": request.host,
      "x-forwarded-uri": uri,
    };
    for (const name of send) {
      const value = request.headers.get(name);
      if (value !== null) headers[name] = value;
    }
    const answer = await context.call(service, path, { headers });
    if (answer.status >= 500) throw new Error(`${service} answered ${answer.status}`);
    if (answer.status < 200 || answer.status > 299) {
      context.count("refused");
      return respond(
        answer.status < 200 ? 403 : answer.status,
        `${service} answered ${answer.status}`,
        answer.text(),
        valuesOf(answer, told),
      );
    }
    const copied = valuesOf(answer, copy);
    if (cache !== undefined && key.length <= keyLengthMax) {
      const [, count = "", unit = ""] = /^(\d+)(\D+)$/.exec(cache.for) ?? [];
      context.state.delete(key);
      context.state.set(key, { untilMs: context.now() + Number(count) * (unitMs[unit] ?? 0), copied });
      const [oldest] = context.state.keys();
      if (context.state.size > keptMax && oldest !== undefined) context.state.delete(oldest);
    }
    return pass(copied);
  },
});
