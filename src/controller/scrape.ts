/**
 * Metrics of all machines, as one place has them: whoever fetches metrics asks the controller, which asks the proxy over the
 * connection that stands anyway. Nothing of a proxy is open to a network for this.
 */
import type { MetricFormat } from "../telemetry/exposition.ts";
import type { Asks } from "./asks.ts";
import type { Catalog } from "./catalog.ts";

/** One group of targets, as Prometheus's HTTP service discovery has them: these members, and no others. */
export interface TargetGroup {
  readonly targets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

/** Where the metrics of a machine are on the admin page of the controller. */
function machineMetricsPath(machine: string): string {
  return `/v1/machines/${machine}/metrics`;
}

/** The machine of such a path; null: it is another one. */
export function machineIn(path: string): string | null {
  return /^\/v1\/machines\/([a-z0-9.-]{1,253})\/metrics$/.exec(path)?.[1] ?? null;
}

export class Scrape {
  constructor(
    readonly asks: Asks,
    readonly catalog: Pick<Catalog, "nodes">,
  ) {}

  /** Of every proxy of the mesh, whether it is connected or not: one that is not is one that is down. `admin`: `host:port`. */
  targets(admin: string): TargetGroup[] {
    const members = [...this.catalog.nodes.values()].filter((node) => !node.removed);
    return members
      .map(({ name }) => name)
      .toSorted()
      .map((name) => ({
        targets: [admin],
        labels: { __metrics_path__: machineMetricsPath(name), instance: name, heddle_mode: "proxy" },
      }));
  }

  /** Rejects with a Refusal that says why there is none. */
  async metricsOf(machine: string, format: MetricFormat): Promise<string> {
    const lines = await this.asks.collect(machine, { what: "exposition", format });
    return lines.map((line) => (typeof line === "string" ? line : "")).join("");
  }
}
