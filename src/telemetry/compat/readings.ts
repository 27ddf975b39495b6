/** What the metrics that other meshes have are made of: heddle's own, read when somebody fetches them. Requests pay nothing for it. */
import type { FamilyPlan } from "../families.ts";
import type { FamilyReading } from "../metrics.ts";
import type { MetricSeries } from "../../model/reading.ts";

export class Readings {
  readonly #families: ReadonlyMap<string, readonly MetricSeries[]>;

  constructor(all: readonly FamilyReading[]) {
    this.#families = new Map(all.map(({ name, series }) => [name, series]));
  }

  of({ name }: FamilyPlan): readonly MetricSeries[] {
    return this.#families.get(name) ?? [];
  }
}

/** A service key as others have it: `orders` of `default`; what is not known is `unknown`. */
export function partsOf(key: string): { readonly name: string; readonly namespace: string } {
  const [name = "", namespace = ""] = key.split(".");
  return { name: name === "" ? "unknown" : name, namespace: namespace === "" ? "unknown" : namespace };
}

/** Of a direction, a service and who calls it: what tells two edges apart. */
export function edgeKey({ labels }: MetricSeries): string {
  const { direction = "", service = "", peer = "" } = labels;
  return `${direction} ${service} ${peer}`;
}

/** UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
const grpcFailures: ReadonlySet<string> = new Set(["2", "4", "13", "14", "15"]);

/** Whether requests that were counted so failed. */
export function isFailure({ labels }: MetricSeries): boolean {
  const { code = "", flags = "", grpc_code: grpc = "" } = labels;
  return flags !== "" || code === "0" || code.startsWith("5") || grpcFailures.has(grpc);
}
