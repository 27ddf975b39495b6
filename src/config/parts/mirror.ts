/** `mirror` of a rule: `[{service: orders, subset: v2, percent: 10}]`, as HTTPRequestMirrorFilter of the Gateway API has it. */
import * as v from "valibot";
import type { Referring } from "../../model/reference_grant.ts";
import type { Mirror } from "../../model/route_filters.ts";
import type { Fit } from "../document_set.ts";
import { list, name, object, resolveService, said, serviceName } from "../fields.ts";
import type { Neighbourhood } from "../kind.ts";
import type { Path } from "../yaml_file.ts";
import { checkGranted } from "./granted.ts";
import { percent, shareOf } from "./share.ts";
import { checkSubset } from "./subset.ts";

const form = "a whole number from 0 to 1000000000";
const natural = (least: number) =>
  v.pipe(v.number(form), v.integer(form), v.minValue(least, form), v.maxValue(1_000_000_000, form));
const fraction = v.pipe(
  object({
    numerator: said(natural(0), "So many"),
    denominator: v.optional(said(natural(1), "Of so many (default: 100)")),
  }),
  v.check(
    ({ numerator, denominator = 100 }) => numerator <= denominator,
    "a numerator that is not above its denominator",
  ),
);
const mirror = v.pipe(
  object({
    service: said(serviceName, "Service that gets the copies"),
    subset: v.optional(said(name, "Only its instances of that subset")),
    percent: v.optional(said(percent, "How many of the requests, in a hundred (default: 100)")),
    fraction: v.optional(said(fraction, "The same as a fraction, as the Gateway API has it")),
  }),
  v.check(
    ({ percent: said, fraction: part }) => said === undefined || part === undefined,
    "percent or fraction, not both",
  ),
);
export const mirrorFilter = list(mirror, 4, 1);

export function expandMirrors(written: v.InferOutput<typeof mirrorFilter>, namespace: string): Mirror[] {
  return written.map(({ service, subset = null, percent: said, fraction: part }) => ({
    service: resolveService(service, namespace),
    subset,
    share: part === undefined ? shareOf(said) : part.numerator / (part.denominator ?? 100),
  }));
}

/** Each must be declared, take requests, and have the subset. */
export function checkMirrors(
  mirrors: readonly Mirror[],
  path: Path,
  fit: Fit,
  around: Neighbourhood,
  route: Referring,
): void {
  const { set, report } = around;
  mirrors.forEach(({ service, subset }, at) => {
    const place = [...path, at, "service"];
    const found = set.findFit(service, fit, { path: place }, report);
    checkSubset(found, subset, place, report);
    if (found !== null) checkGranted(route, service, { path: place }, around);
  });
}
