/** `bandwidth` of a service or of the mesh: bytes a second. */
import * as v from "valibot";
import { serviceKey } from "../../model/service.ts";
import { object, resolveService, said, serviceName } from "../fields.ts";
import { record } from "../record.ts";
import { inMs, type TrafficPart } from "./traffic_part.ts";

const form = "bytes a second such as 500kB/s, 10MB/s or 64MiB/s";
const units: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** Bytes a second; null when the text is no such rate. */
function parseBytes(text: string): number | null {
  const [, count, unit] = /^([1-9][0-9]{0,5})(B|kB|MB|GB|KiB|MiB|GiB)\/s$/.exec(text) ?? [];
  return count === undefined || unit === undefined ? null : Number(count) * (units[unit] as number);
}

const bytes = v.pipe(
  v.string(form),
  v.check((text) => parseBytes(text) !== null, form),
  v.transform((text) => parseBytes(text) ?? 0),
);

const schema = object({
  total: v.optional(said(bytes, "Of all callers, to the instances of one machine")),
  identity: v.optional(said(bytes, "Of each calling service, to the instances of one machine")),
  overrides: v.optional(
    said(record(serviceName, bytes), "Of callers with rates of their own, in place of identity"),
  ),
});

export const bandwidth: TrafficPart<"bandwidth", typeof schema> = {
  schema,
  words:
    "Bytes a second of bodies and opaque connections, each direction by itself; what is over it is read later, and nothing is cut",
  expand({ overrides, ...rates }, namespace) {
    const of = (name: string): string => serviceKey(resolveService(name, namespace));
    const own = Object.entries(overrides ?? {}).map(([name, rate]) => [of(name), rate] as const);
    return { ...inMs(rates, []), ...(overrides === undefined ? {} : { overrides: Object.fromEntries(own) }) };
  },
};
