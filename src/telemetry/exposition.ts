/**
 * Metrics as those read them who fetch them: Prometheus's text format 0.0.4, and OpenMetrics 1.0.0, which has exemplars: for a bucket of
 * a histogram a trace that fell into it.
 */
import type { FamilyPlan } from "./families.ts";

export const metricFormats = ["text", "openmetrics"] as const;
export type MetricFormat = (typeof metricFormats)[number];

export const metricContentTypes: Readonly<Record<MetricFormat, string>> = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** A trace that a value belongs to. */
export interface Exemplar {
  readonly traceId: string;
  readonly spanId: string;
  /** In the unit of the buckets. */
  readonly value: number;
  /** Milliseconds since 1970. */
  readonly wallMs: number;
}

interface ShownSeries {
  /** As they stand between the braces. */
  readonly labels: string;
  readonly value: number;
}

interface ShownHistogram extends Omit<ShownSeries, "value"> {
  readonly bounds: readonly number[];
  /** For each bound what is not above it and above the one before. */
  readonly counts: ArrayLike<number>;
  readonly sum: number;
  readonly count: number;
  /** For each bound, and what is above the last; null: there is none. */
  readonly exemplars: readonly (Exemplar | undefined)[] | null;
}

interface ShownFamily {
  readonly name: string;
  readonly help: string;
  readonly kind: FamilyPlan["kind"];
  readonly series: ReadonlyMap<string, ShownSeries | ShownHistogram>;
}

export function exposition(all: Iterable<ShownFamily>, format: MetricFormat): string {
  const lines: string[] = [];
  for (const family of all) {
    if (family.series.size === 0) continue;
    // Of a counter OpenMetrics names what its samples have in common.
    const name =
      format === "openmetrics" && family.kind === "counter"
        ? family.name.replace(/_total$/, "")
        : family.name;
    lines.push(`# HELP ${name} ${family.help}`, `# TYPE ${name} ${family.kind}`);
    for (const series of family.series.values())
      if (family.kind === "histogram") showHistogram(family.name, series as ShownHistogram, format, lines);
      else lines.push(`${family.name}${braced(series.labels)} ${(series as ShownSeries).value}`);
  }
  if (format === "openmetrics") lines.push("# EOF");
  return `${lines.join("\n")}\n`;
}

/** What whoever asks with this `Accept` gets: OpenMetrics where it is named and nothing is liked better. */
export function metricFormatFor(accept: string): MetricFormat {
  const likes = accept.split(",").map((each) => {
    const [type = "", ...parameters] = each.split(";").map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2) ?? "1";
    return { type, weight: Number(weight) || 0 };
  });
  const best = (...types: readonly string[]): number =>
    Math.max(0, ...likes.filter(({ type }) => types.includes(type)).map(({ weight }) => weight));
  const openMetrics = best("application/openmetrics-text");
  return openMetrics > 0 && openMetrics >= best("text/plain", "text/*") ? "openmetrics" : "text";
}

function showHistogram(name: string, series: ShownHistogram, format: MetricFormat, lines: string[]): void {
  const { labels, bounds, counts, sum, count, exemplars } = series;
  const comma = labels === "" ? "" : ",";
  const example = (at: number): string => (format === "openmetrics" ? exemplarText(exemplars?.[at]) : "");
  let below = 0;
  bounds.forEach((bound, at) => {
    below += counts[at] as number;
    lines.push(`${name}_bucket{${labels}${comma}le="${boundText(bound)}"} ${below}${example(at)}`);
  });
  lines.push(`${name}_bucket{${labels}${comma}le="+Inf"} ${count}${example(bounds.length)}`);
  lines.push(`${name}_sum${braced(labels)} ${sum}`);
  lines.push(`${name}_count${braced(labels)} ${count}`);
}

/** As OpenMetrics wants it, and the same in both formats: a series is known by its text. */
function boundText(bound: number): string {
  return Number.isInteger(bound) ? bound.toFixed(1) : String(bound);
}

function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return "";
  const { traceId, spanId, value, wallMs } = exemplar;
  return ` # {trace_id="${traceId}",span_id="${spanId}"} ${value} ${wallMs / 1_000}`;
}

function braced(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}
