/** `rateLimit` of a service or of the mesh. */
import * as v from "valibot";
import { limits } from "../../model/limits.ts";
import { serviceKey } from "../../model/service.ts";
import type { KeyedRate, Rate } from "../../model/traffic.ts";
import { flag, list, object, resolveService, said, serviceName } from "../fields.ts";
import { record } from "../record.ts";
import { pathPattern } from "./paths.ts";
import { inMs, wholeNumber, type TrafficPart } from "./traffic_part.ts";

const rateForm = `a rate such as 100/s, 600/m or 36000/h, of at most ${limits.rateCountMax}`;
const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600 };

/** In requests a second; null when the text is no rate. */
function parseRate(text: string): number | null {
  const [, count, unit] = /^([0-9]{1,9})\/(s|m|h)$/.exec(text) ?? [];
  if (count === undefined || unit === undefined || Number(count) > limits.rateCountMax) return null;
  return Number(count) / (unitSeconds[unit] as number);
}

const perSecond = v.pipe(
  v.string(rateForm),
  v.check((text) => parseRate(text) !== null, rateForm),
  v.transform((text) => parseRate(text) ?? 0),
);
const burst = v.optional(
  said(
    wholeNumber(1, limits.rateCountMax),
    "Requests that may come at once, after a silence (default: those of one second, and one at least)",
  ),
);
const whole = object({ rate: said(perSecond, "Requests in a time: 100/s, 600/m"), burst });
const rate = v.lazy((input): v.GenericSchema<unknown, Rate> =>
  typeof input === "object" && input !== null
    ? v.pipe(
        whole,
        v.transform(({ rate: perSecond, burst = null }) => ({ perSecond, burst })),
      )
    : v.pipe(
        perSecond,
        v.transform((perSecond) => ({ perSecond, burst: null })),
      ),
);

const headerForm = "a header name in lower case";
const keyed = object({
  header: v.optional(
    said(
      v.pipe(v.string(headerForm), v.regex(/^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/, headerForm)),
      "Each value of this header has the rate for itself; requests without it are not counted",
    ),
  ),
  eachPath: v.optional(said(flag, "Each path has the rate for itself (default: false)")),
  paths: v.optional(
    said(list(pathPattern, 64), "Only requests to these, exact or with a last segment * (default: all)"),
  ),
  rate: said(perSecond, "Requests in a time: 100/s, 600/m"),
  burst,
});

const schema = object({
  mesh: v.optional(
    said(
      v.pipe(
        perSecond,
        v.transform((perSecond) => ({ perSecond, burst: null })),
      ),
      "Of all callers, to all instances in the mesh: machines share it through the controller, and go on with their shares while it is away",
    ),
  ),
  total: v.optional(
    said(rate, "Of all callers, to the instances of one machine: 1000/s, or {rate: 1000/s, burst: 2000}"),
  ),
  identity: v.optional(said(rate, "Of each calling service, to the instances of one machine: as total")),
  overrides: v.optional(
    said(record(serviceName, rate), "By calling service: its own rate in place of identity, as total"),
  ),
  keys: v.optional(
    said(list(keyed, 16, 1), "Of requests that are alike: by a header, by path, or those to some paths"),
  ),
});

export const rateLimit: TrafficPart<"rateLimit", typeof schema> = {
  schema,
  words: "How many requests it takes; those beyond are answered 429 with Retry-After",
  expand({ overrides, keys, ...rates }, namespace) {
    const of = (name: string): string => serviceKey(resolveService(name, namespace));
    const own = Object.entries(overrides ?? {}).map(([name, each]) => [of(name), each] as const);
    return {
      ...inMs(rates, []),
      ...(overrides === undefined ? {} : { overrides: Object.fromEntries(own) }),
      ...(keys === undefined ? {} : { keys: keys.map(expandKey) }),
    };
  },
  check(_inForce, { keys = [] }, report) {
    for (const { header, eachPath, paths } of keys)
      if (header === null && !eachPath && paths.length === 0)
        report("keys", "a rate needs a header, eachPath or paths; that of all requests is total");
  },
};

function expandKey({
  header,
  eachPath,
  paths,
  rate: perSecond,
  burst,
}: v.InferOutput<typeof keyed>): KeyedRate {
  return {
    header: header ?? null,
    eachPath: eachPath ?? false,
    paths: paths ?? [],
    perSecond,
    burst: burst ?? null,
  };
}
