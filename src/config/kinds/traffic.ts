/** `kind: Traffic`: what the calls of one service go by; one for each service at most. */
import * as v from "valibot";
import type { TrafficDocument } from "../../model/document.ts";
import { defaultNamespace, serviceKey } from "../../model/service.ts";
import { mergeTraffic } from "../../model/traffic.ts";
import { common, object, resolveService, said, serviceName } from "../fields.ts";
import { defineKind, type Neighbourhood, type Placed, type ReportOn } from "../kind.ts";
import { checkOpaque } from "../parts/opaque.ts";
import { checkTraffic, expandTraffic, trafficFields } from "../parts/traffic.ts";

const schema = object({
  kind: v.literal("Traffic"),
  ...common,
  service: said(serviceName, "Service whose calls go by it; it has one such document at most"),
  ...trafficFields,
});

type Written = v.InferOutput<typeof schema>;

function expand(written: Written): TrafficDocument {
  const namespace = written.namespace ?? defaultNamespace;
  return {
    kind: "Traffic",
    name: written.name,
    namespace,
    service: resolveService(written.service, namespace),
    traffic: expandTraffic(written, namespace),
  };
}

function crossCheck({ service, traffic: own }: TrafficDocument, { set, report }: Neighbourhood): void {
  const found = set.find(service, { path: ["service"] }, report);
  checkTraffic(own, mergeTraffic(set.options.meshTraffic, found?.traffic ?? {}), { path: [], report });
  checkOpaque(found, own, report);
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
  words:
    "What the calls of a service go by: which instance gets them, when one that fails is taken out, how many there may be",
  example,
  schema,
  expand,
  crossCheck,
  crossCheckAll: checkSingle,
});
