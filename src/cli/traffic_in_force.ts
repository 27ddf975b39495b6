/** What the calls of a service go by, with where each value comes from: `heddle get traffic NAME --effective`. */
import type { DocumentsAnswer } from "../api/messages.ts";
import { formatDuration } from "../base/duration.ts";
import { UserError } from "../base/user_error.ts";
import { isServiceName, resolveService } from "../config/fields.ts";
import { loadDocuments, servicesIn } from "../config/load.ts";
import type { Document, TrafficDocument } from "../model/document.ts";
import { serviceKey } from "../model/service.ts";
import { circuitBreakingDefaults, type CircuitBreaking } from "../model/traffic.ts";

export interface ValueInForce {
  /** As a document writes it: `circuitBreaking.failures`. */
  readonly field: string;
  readonly value: number | string;
  /** `default`, or the document: `Traffic orders.default`. */
  readonly from: string;
}

const breakingFields: readonly (readonly [field: string, key: keyof CircuitBreaking])[] = [
  ["failures", "failures"],
  ["successPercent", "successPercent"],
  ["window", "windowMs"],
  ["answers", "answers"],
  ["penalty", "penaltyMs"],
  ["penaltyMax", "penaltyMaxMs"],
  ["ejectedPercent", "ejectedPercent"],
];

/** `name`: of the service, `orders` or `orders.prod`. Throws when no document declares it. */
export function trafficInForce(stored: DocumentsAnswer["documents"], name: string): ValueInForce[] {
  const key = isServiceName(name) ? serviceKey(resolveService(name)) : name;
  const files = stored.map((each) => ({ file: each.name, text: each.text }));
  const { documents } = loadDocuments(files, { policies: null });
  if (!servicesIn(documents).has(key)) throw new UserError(`There is no Service ${key}`, null, 1);
  const all = documents.map(({ document }) => document);
  const isOfIt = (each: Document): each is TrafficDocument =>
    each.kind === "Traffic" && serviceKey(each.service) === key;
  return valuesOf(all.find(isOfIt) ?? null);
}

/** null: no document is about the service, the defaults hold. */
function valuesOf(document: TrafficDocument | null): ValueInForce[] {
  return breakingFields.map(([field, key]) => {
    const written = document?.circuitBreaking[key];
    const value = written ?? circuitBreakingDefaults[key];
    return {
      field: `circuitBreaking.${field}`,
      value: key.endsWith("Ms") ? formatDuration(value) : value,
      from: written === undefined ? "default" : `Traffic ${document?.name}.${document?.namespace}`,
    };
  });
}
