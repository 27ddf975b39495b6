/** What the calls of a service go by, with where each value comes from: `heddle get traffic NAME --effective`. */
import type { DocumentsAnswer } from "../api/document_messages.ts";
import { formatDuration } from "../base/duration.ts";
import { UserError } from "../base/user_error.ts";
import { isServiceName, resolveService } from "../config/fields.ts";
import { loadDocuments, servicesIn } from "../config/load.ts";
import type { MeshDocument, ServiceDocument, TrafficDocument } from "../model/document.ts";
import { serviceKey } from "../model/service.ts";
import { trafficDefaults, trafficGroups, type Rate } from "../model/traffic.ts";

export interface ValueInForce {
  /** As a document writes it: `circuitBreaking.failures`. */
  readonly field: string;
  readonly value: number | string;
  /** `default`, or the document: `Traffic orders.default`, `Service orders.default`, `Mesh mesh.default`. */
  readonly from: string;
}

/** `name`: of the service, `orders` or `orders.prod`. Throws when no document declares it. */
export function trafficInForce(stored: DocumentsAnswer["documents"], name: string): ValueInForce[] {
  const key = isServiceName(name) ? serviceKey(resolveService(name)) : name;
  const files = stored.map((each) => ({ file: each.name, text: each.text }));
  const { documents } = loadDocuments(files, { policies: null });
  const service = servicesIn(documents).get(key)?.document;
  if (service === undefined) throw new UserError(`There is no Service ${key}`, null, 1);
  const all = documents.map(({ document }) => document);
  const own = all.filter((each) => each.kind === "Traffic" && serviceKey(each.service) === key);
  const ofAll = all.filter((each) => each.kind === "Mesh");
  return valuesOf([...own, service, ...ofAll] as TrafficSource[]);
}

type TrafficSource = TrafficDocument | ServiceDocument | MeshDocument;

/** Of several documents the first that says a value decides. */
function valuesOf(documents: readonly TrafficSource[]): ValueInForce[] {
  return trafficGroups.flatMap((group) =>
    Object.entries(trafficDefaults[group]).map(([key, byDefault]) => {
      const saying = documents.find(({ traffic }) => groupOf(traffic?.[group])[key] !== undefined);
      const isTime = key.endsWith("Ms");
      return {
        field: `${group}.${isTime ? key.slice(0, -2) : key}`,
        value: shownAs(saying === undefined ? byDefault : groupOf(saying.traffic?.[group])[key], isTime),
        from: saying === undefined ? "default" : `${saying.kind} ${saying.name}.${saying.namespace}`,
      };
    }),
  );
}

function groupOf(group: object | undefined): Readonly<Record<string, unknown>> {
  return (group ?? {}) as Readonly<Record<string, unknown>>;
}

/** `none` where there is no value by default. */
function shownAs(value: unknown, isTime: boolean): number | string {
  if (value === null) return "none";
  if (isTime) return formatDuration(value as number);
  if (typeof value === "number") return value;
  if (isRate(value)) return rateText(value);
  if (typeof value !== "object") return String(value);
  return JSON.stringify(value, (_key, each: unknown) => (isRate(each) ? rateText(each) : each));
}

function isRate(value: unknown): value is Rate {
  return typeof value === "object" && value !== null && Object.keys(value).join() === "perSecond,burst";
}

function rateText({ perSecond, burst }: Rate): string {
  const rate = `${Number(perSecond.toFixed(6))}/s`;
  return burst === null ? rate : `${rate}, ${burst} at once`;
}
