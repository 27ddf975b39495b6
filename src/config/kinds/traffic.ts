/** `kind: Traffic`: what the calls of one service go by; one for each service at most. */
import * as v from "valibot";
import type { TrafficDocument } from "../../model/document.ts";
import { limits } from "../../model/limits.ts";
import { defaultNamespace, serviceKey } from "../../model/service.ts";
import { circuitBreakingDefaults, type CircuitBreaking } from "../../model/traffic.ts";
import { common, duration, object, resolveService, said, serviceName } from "../fields.ts";
import type { Report } from "../issue_at.ts";
import { defineKind, type Neighbourhood, type Placed, type ReportOn } from "../kind.ts";

const percent = v.pipe(
  v.number("a percentage from 0 to 100"),
  v.minValue(0, "a percentage from 0 to 100"),
  v.maxValue(100, "a percentage from 0 to 100"),
);
const count = (least: number) => {
  const form = `a whole number from ${least} to ${limits.breakerCountMax}`;
  return v.pipe(
    v.number(form),
    v.integer(form),
    v.minValue(least, form),
    v.maxValue(limits.breakerCountMax, form),
  );
};
const atLeast = (text: string, ms: number) =>
  v.pipe(duration, v.minValue(ms, `a duration of at least ${text}`));

const circuitBreaking = object({
  failures: v.optional(
    said(count(0), "Failures in a row after which an instance is out; 0: not by a streak (default: 5)"),
  ),
  successPercent: v.optional(
    said(
      percent,
      "An instance is out with fewer successes within the window; 0: not by their share (default: 80)",
    ),
  ),
  window: v.optional(said(atLeast("100ms", 100), "How far back answers count (default: 10s)")),
  answers: v.optional(said(count(1), "How many of them there must be (default: 5)")),
  penalty: v.optional(
    said(atLeast("10ms", 10), "For how long it is out at first; twice as long each time (default: 1s)"),
  ),
  penaltyMax: v.optional(said(atLeast("10ms", 10), "For how long at most (default: 1m)")),
  ejectedPercent: v.optional(
    said(
      percent,
      "Instances that may be out at a time; one is always left; 0 turns it off, and nobody is ever out (default: 50)",
    ),
  ),
});

const schema = object({
  kind: v.literal("Traffic"),
  ...common,
  service: said(serviceName, "Service whose calls go by it; it has one such document at most"),
  circuitBreaking: v.optional(
    said(circuitBreaking, "When an instance that fails gets no requests, and for how long"),
  ),
});

type Written = v.InferOutput<typeof schema>;

function expand(written: Written): TrafficDocument {
  const namespace = written.namespace ?? defaultNamespace;
  return {
    kind: "Traffic",
    name: written.name,
    namespace,
    service: resolveService(written.service, namespace),
    circuitBreaking: expandBreaking(written.circuitBreaking ?? {}),
  };
}

/** What is not written stays absent: the proxies know the defaults. */
function expandBreaking(written: v.InferOutput<typeof circuitBreaking>): CircuitBreaking {
  const { window: windowMs, penalty: penaltyMs, penaltyMax: penaltyMaxMs, ...rest } = written;
  const all = { ...rest, windowMs, penaltyMs, penaltyMaxMs };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

function check({ circuitBreaking: written }: Written, report: Report): void {
  const { penalty = circuitBreakingDefaults.penaltyMs, penaltyMax = circuitBreakingDefaults.penaltyMaxMs } =
    written ?? {};
  if (penalty <= penaltyMax) return;
  const field = written?.penalty === undefined ? "penaltyMax" : "penalty";
  const message = `the first penalty, ${penalty} ms, is longer than the longest (penaltyMax), ${penaltyMax} ms`;
  report(["circuitBreaking", field], message);
}

function crossCheck(document: TrafficDocument, { set, report }: Neighbourhood): void {
  set.find(document.service, { path: ["service"] }, report);
}

/** Two of one service would need an order, and nobody could say which value is in force. */
function checkSingle(all: readonly Placed<TrafficDocument>[], report: ReportOn): void {
  const first = new Map<string, string>();
  for (const { document, source } of all) {
    const key = serviceKey(document.service);
    const before = first.get(key);
    if (before === undefined) first.set(key, document.name);
    else if (!report(source, ["service"], `Traffic ${before} is about ${key} already: one is all`)) return;
  }
}

const example = `kind: Traffic
name: orders
service: orders
circuitBreaking: {failures: 3, penalty: 5s}`;

export const traffic = defineKind({
  name: "Traffic",
  words: "What the calls of a service go by: when an instance that fails is taken out",
  example,
  schema,
  expand,
  check,
  crossCheck,
  crossCheckAll: checkSingle,
});
