/** Where a rule sends what it matches: `split: {reviews/v1: 95}` or a list of `backends`. */
import * as v from "valibot";
import type { Backend } from "../../model/document.ts";
import { serviceKey } from "../../model/service.ts";
import type { Fit } from "../document_set.ts";
import {
  isLabel,
  flag,
  isServiceName,
  list,
  name,
  object,
  port,
  resolveService,
  said,
  serviceName,
} from "../fields.ts";
import type { Report } from "../issue_at.ts";
import type { Neighbourhood } from "../kind.ts";
import { record } from "../record.ts";
import { checkGranted } from "./granted.ts";
import type { Referring } from "../../model/reference_grant.ts";
import { checkSubset } from "./subset.ts";
import { backendFilterFields, expandBackendFilters, type WrittenBackendFilters } from "./filters.ts";
import type { Path, YamlDocument } from "../yaml_file.ts";

const weight = v.pipe(
  v.number("a whole number from 0 to 1000000"),
  v.integer("a whole number from 0 to 1000000"),
  v.minValue(0, "a whole number from 0 to 1000000"),
  v.maxValue(1_000_000, "a whole number from 0 to 1000000"),
);
const split = record(
  v.pipe(
    v.string(),
    v.check((text) => {
      const [service = "", subset, more] = text.split("/");
      return isServiceName(service) && (subset === undefined || isLabel(subset)) && more === undefined;
    }, "a service such as reviews, or a subset such as reviews/v1"),
  ),
  weight,
);
/** The two forms of one thing. `more`: what each of the list may say beside. */
function fieldsWith<const More extends v.ObjectEntries>(more: More) {
  const backend = object({
    service: said(serviceName, "Service that gets a share"),
    subset: v.optional(said(name, "Only its instances of that subset")),
    weight: v.optional(said(weight, "Its part of the sum of weights (default: 1)")),
    port: v.optional(
      said(port, "Its port; where the Service has another, that is told, and changes nothing"),
    ),
    ...more,
  });
  return {
    split: v.optional(
      said(split, "Where it goes, by weight: {reviews/v1: 95, reviews/v2: 5} (default: the service itself)"),
    ),
    backends: v.optional(said(list(backend, 16), "The same as a list")),
  };
}

/** Of connections. */
export const backendFields = fieldsWith({});
/** Of requests. */
export const requestBackendFields = fieldsWith({
  ...backendFilterFields,
  fallback: v.optional(
    said(
      flag,
      "It gets requests that the others failed to answer: after the one that was chosen, fallbacks are asked in order (default: false)",
    ),
  ),
});

interface WrittenBackends {
  readonly split?: Readonly<Record<string, number>> | undefined;
  readonly backends?: readonly WrittenBackend[] | undefined;
}

interface WrittenBackend extends WrittenBackendFilters {
  readonly service: string;
  readonly subset?: string | undefined;
  readonly weight?: number | undefined;
  readonly port?: number | undefined;
  readonly fallback?: boolean | undefined;
}

export function expandBackends(written: WrittenBackends, namespace: string): Backend[] {
  if (written.backends !== undefined) {
    return written.backends.map((each) => {
      const filters = expandBackendFilters(each);
      return {
        service: resolveService(each.service, namespace),
        subset: each.subset ?? null,
        weight: weightOf(each),
        ...(each.fallback === true ? { fallback: true as const } : {}),
        ...(each.port === undefined ? {} : { port: each.port }),
        ...(filters === null ? {} : { filters }),
      };
    });
  }
  return Object.entries(written.split ?? {}).map(([target, weight]) => {
    const [service = "", subset = null] = target.split("/");
    return { service: resolveService(service, namespace), subset, weight };
  });
}

export function checkBackendForms(written: WrittenBackends, path: Path, report: Report): void {
  if (written.split !== undefined && written.backends !== undefined)
    report([...path, "split"], "split and backends exclude each other", { key: true });
  written.backends?.forEach(({ fallback, weight }, at) => {
    if (fallback === true && weight !== undefined)
      report(
        [...path, "backends", at, "weight"],
        "a fallback has no weight: it gets what others failed to answer",
        { key: true },
      );
  });
  const weights = weightsOf(written);
  if (weights.length > 0 && weights.every((weight) => weight === 0)) {
    const field = written.backends === undefined ? "split" : "backends";
    report([...path, field], "all weights are 0, so nobody would answer", { key: true, code: "HED0104" });
  }
}

function weightOf({ weight = 1, fallback }: WrittenBackend): number {
  return fallback === true ? 0 : weight;
}

function weightsOf(written: WrittenBackends): readonly number[] {
  return written.backends?.map(weightOf) ?? Object.values(written.split ?? {});
}

/** Each of them must be declared, speak what it must, have the subset, and be one that `route` may refer to. `around` is the path of the rule. */
export function checkBackends(
  backends: readonly Backend[],
  around: Path,
  fit: Fit,
  neighbourhood: Neighbourhood,
  route: Referring,
): void {
  const { set, source, report } = neighbourhood;
  backends.forEach((backend, index) => {
    const { path, key } = backendPlace(source, around, index);
    const found = set.findFit(backend.service, fit, { path, key }, report);
    checkSubset(found, backend.subset, path, report, key);
    if (found !== null) checkGranted(route, backend.service, { path, key }, neighbourhood);
    if (found === null || backend.port === undefined || backend.port === found.port) return;
    const message = `this says nothing: ${serviceKey(found)} has one port, ${found.port}`;
    report([...around, "backends", index, "port"], message, { code: "HED0160" });
  });
}

/** Where a backend was written: an entry of `backends` or a key of `split`. */
function backendPlace(
  source: YamlDocument,
  around: Path,
  index: number,
): { readonly path: Path; readonly key: boolean } {
  const written = around.reduce<unknown>(
    (value, step) => (value as Record<string | number, unknown>)[step],
    source.value,
  ) as { split?: object };
  const target = Object.keys(written.split ?? {})[index];
  if (target === undefined) return { path: [...around, "backends", index, "service"], key: false };
  return { path: [...around, "split", target], key: true };
}
