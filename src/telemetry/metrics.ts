/**
 * Counters, gauges and histograms. A family is declared once with its label names; a handle is resolved once per label
 * combination and then costs an addition. Whatever the labels are, what is kept is bounded here: beyond `seriesPerMetricMax`
 * combinations all share the label `other`, and no more than `metricHandlesMax` handles of a family are found without its labels
 * being written. Sets of metrics are summed by `merged`; `exposition.ts` writes them.
 */
import { assert } from "../base/assert.ts";
import type { CounterPlan, FamilyPlan, GaugePlan, HistogramPlan } from "./families.ts";
import { exposition, type Exemplar, type MetricFormat } from "./exposition.ts";
import type { MetricSeries } from "../model/reading.ts";
import { Handles } from "./handles.ts";
import { limits } from "../model/limits.ts";
import type { TraceRef } from "../model/trace_ref.ts";

export interface Counter {
  add(amount: number): void;
}

export interface Gauge {
  add(amount: number): void;
  set(value: number): void;
}

export interface Histogram {
  /**
   * In the unit of the buckets: seconds, bytes. `trace`: where the span of it stands, where one is kept; `wallMs`: when that was,
   * milliseconds since 1970. A bucket takes another exemplar each `exemplarEveryMs`: nobody looks more often.
   */
  observe(value: number, trace?: TraceRef | null, wallMs?: number): void;
  /** Adds what was counted elsewhere, by the same bounds. */
  addCounted(counts: readonly number[], sum: number, count: number): void;
}

class Series implements Counter, Gauge {
  value = 0;
  constructor(readonly labels: string) {}

  add(amount: number): void {
    this.value += amount;
  }

  set(value: number): void {
    this.value = value;
  }
}

class HistogramSeries implements Histogram {
  readonly counts: Float64Array;
  /** The newest of each bucket; null while there is none. */
  exemplars: (Exemplar | undefined)[] | null = null;
  sum = 0;
  count = 0;
  constructor(
    readonly labels: string,
    readonly bounds: readonly number[],
  ) {
    this.counts = new Float64Array(bounds.length);
  }

  addAll(other: HistogramSeries): void {
    this.addCounted([...other.counts], other.sum, other.count);
    other.exemplars?.forEach((exemplar, at) => {
      if (exemplar !== undefined && !((this.exemplars?.[at]?.wallMs ?? 0) > exemplar.wallMs))
        this.#keep(at, exemplar);
    });
  }

  addCounted(counts: readonly number[], sum: number, count: number): void {
    this.sum += sum;
    this.count += count;
    counts.forEach((each, at) => (this.counts[at] = (this.counts[at] as number) + each));
  }

  observe(value: number, trace: TraceRef | null = null, wallMs = 0): void {
    this.sum += value;
    this.count += 1;
    const bounds = this.bounds;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at++;
    if (at < bounds.length) this.counts[at] = (this.counts[at] as number) + 1;
    if (trace !== null) this.#exemplify(at, value, trace, wallMs);
  }

  #exemplify(at: number, value: number, { traceId, spanId }: TraceRef, wallMs: number): void {
    const known = this.exemplars?.[at];
    // A wall clock that was put back is no reason to wait for it.
    if (known !== undefined && Math.abs(wallMs - known.wallMs) < limits.exemplarEveryMs) return;
    this.#keep(at, { traceId, spanId, value, wallMs });
  }

  #keep(at: number, exemplar: Exemplar): void {
    (this.exemplars ??= new Array<Exemplar | undefined>(this.bounds.length + 1))[at] = exemplar;
  }
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly kind: FamilyPlan["kind"];
  readonly labelNames: readonly string[];
  readonly bounds: readonly number[];
  readonly series: Map<string, Series | HistogramSeries>;
  /** Of a family with at most three labels. */
  readonly handles: Handles<Series | HistogramSeries>;
}

/** A handle is found by so many label values at most; more are for handles that their user keeps, as `bundle` does. */
const foundByMax = 3;

/** Resolves a handle for one combination of label values, in the order of the family's label names. */
export type Resolve<Handle> = (...labelValues: readonly string[]) => Handle;

/** Finds what was made for three words, or makes it. */
export type Bundle<Value> = (first: string, second: string, third: string) => Value;

/** With what trace is known behind each bucket of a histogram, where one is. */
interface SeriesReading extends MetricSeries {
  readonly exemplars?: readonly (Exemplar | null)[];
}

/** What one metric counted. */
export interface FamilyReading {
  readonly name: string;
  readonly help: string;
  readonly kind: FamilyPlan["kind"];
  readonly series: readonly SeriesReading[];
}

/** The metrics of one data-plane shard or mode. */
export class Metrics {
  readonly #families = new Map<string, Family>();
  readonly #collectors: (() => void)[] = [];
  /** What is exposed beside them, made of them each time; null: nothing is. */
  derive: ((all: readonly FamilyReading[]) => Metrics) | null = null;
  /** What is counted in when somebody looks: sets of other event loops; null: there are none. */
  others: (() => readonly Metrics[]) | null = null;

  counter(plan: CounterPlan): Resolve<Counter> {
    return this.#declare(plan) as Resolve<Series>;
  }

  gauge(plan: GaugePlan): Resolve<Gauge> {
    return this.#declare(plan) as Resolve<Series>;
  }

  histogram(plan: HistogramPlan): Resolve<Histogram> {
    return this.#declare(plan) as Resolve<HistogramSeries>;
  }

  /**
   * Handles of several families that are used together, or one of a family with many labels, found by three words of which they
   * are made. They are made anew when there were more than `metricHandlesMax`.
   */
  bundle<Value>(make: (first: string, second: string, third: string) => Value): Bundle<Value> {
    const handles = new Handles<Value>();
    return (first, second, third) =>
      handles.find(first, second, third) ?? handles.keep(first, second, third, make(first, second, third));
  }

  /** Called before each exposition, to set gauges that are read rather than counted. */
  collect(collector: () => void): void {
    this.#collectors.push(collector);
  }

  /** Drops all series of a family: for gauges that are read whole when somebody looks, so what is gone is not shown. */
  clear(name: string): void {
    const family = this.#families.get(name);
    family?.series.clear();
    family?.handles.forget();
  }

  #declare({ kind, name, help, labels, bounds }: FamilyPlan): Resolve<Series | HistogramSeries> {
    const family = this.#families.get(name) ?? this.#add({ name, help, kind, labelNames: labels, bounds });
    if (labels.length > foundByMax) return (...values) => resolve(family, values);
    const { handles } = family;
    return (first = "", second = "", third = "") =>
      handles.find(first, second, third) ??
      handles.keep(first, second, third, resolve(family, [first, second, third]));
  }

  #add(declared: Omit<Family, "series" | "handles">): Family {
    const family: Family = { ...declared, series: new Map(), handles: new Handles() };
    this.#families.set(family.name, family);
    return family;
  }

  /**
   * The sum of several sets, such as those of the shards of one mode: counters, histograms and gauges alike. A gauge that says the
   * same in each of them (a certificate's end) belongs into one set alone.
   */
  static merged(sets: readonly Metrics[]): Metrics {
    const whole = new Metrics();
    for (const set of sets) {
      for (const collector of set.#collectors) collector();
      for (const family of set.#families.values())
        addFamily(whole.#families.get(family.name) ?? whole.#add(family), family);
    }
    return whole;
  }

  /** A set as it was read elsewhere. */
  static of(readings: readonly FamilyReading[]): Metrics {
    const set = new Metrics();
    for (const { name, help, kind, series } of readings) {
      const [first] = series;
      if (first === undefined) continue;
      const family = set.#add({
        name,
        help,
        kind,
        labelNames: Object.keys(first.labels),
        bounds: first.bounds ?? [],
      });
      for (const each of series) addReading(resolve(family, Object.values(each.labels)), each);
    }
    return set;
  }

  /** What the families of these names counted, each series with its labels. */
  read(names: ReadonlySet<string>): MetricSeries[] {
    return this.#looked().flatMap((family) =>
      names.has(family.name) ? [...family.series.values()].map((series) => readSeries(family, series)) : [],
    );
  }

  /** All of it. */
  readAll(): FamilyReading[] {
    return readingsOf(this.#looked());
  }

  /** As somebody sees them now. */
  #looked(): readonly Family[] {
    if (this.others !== null) return [...Metrics.merged([this, ...this.others()]).#families.values()];
    for (const collector of this.#collectors) collector();
    return [...this.#families.values()];
  }

  /** For whoever fetches them. */
  expose(format: MetricFormat = "text"): string {
    const looked = this.#looked();
    const derived = this.derive === null ? [] : this.derive(readingsOf(looked)).#families.values();
    return exposition([...looked, ...derived], format);
  }
}

function readingsOf(families: readonly Family[]): FamilyReading[] {
  return families.flatMap((family) => {
    const { name, help, kind, series } = family;
    const read = [...series.values()].map((each) => ({ ...readSeries(family, each), ...exemplarsOf(each) }));
    return read.length === 0 ? [] : [{ name, help, kind, series: read }];
  });
}

/** Adds what one family counted to another of its name. */
function addFamily(whole: Family, part: Family): void {
  const shape = ({ kind, labelNames, bounds }: Family): string => JSON.stringify([kind, labelNames, bounds]);
  assert(shape(whole) === shape(part), `${part.name} is not the same metric everywhere`);
  for (const series of part.series.values()) {
    const sum = seriesOf(whole, series.labels);
    if (series instanceof Series) (sum as Series).add(series.value);
    else (sum as HistogramSeries).addAll(series);
  }
}

function addReading(series: Series | HistogramSeries, reading: SeriesReading): void {
  const { value, counts = [], sum = 0, exemplars } = reading;
  if (series instanceof Series) return series.add(value);
  series.addCounted(counts, sum, value);
  series.exemplars = exemplars?.map((each) => each ?? undefined) ?? null;
}

function resolve(family: Family, values: readonly string[]): Series | HistogramSeries {
  return seriesOf(family, labelText(family.labelNames, values));
}

function seriesOf(family: Family, labels: string): Series | HistogramSeries {
  const known = family.series.get(labels);
  if (known !== undefined) return known;
  const full = family.series.size >= limits.seriesPerMetricMax;
  const used = full
    ? labelText(
        family.labelNames,
        family.labelNames.map(() => "other"),
      )
    : labels;
  const shared = family.series.get(used);
  if (shared !== undefined) return shared;
  const made = family.kind === "histogram" ? new HistogramSeries(used, family.bounds) : new Series(used);
  family.series.set(used, made);
  return made;
}

function labelText(names: readonly string[], values: readonly string[]): string {
  return names.map((name, at) => `${name}="${labelValue(values[at] ?? "")}"`).join(",");
}

/** Escaped, and cut: labels are names, and none of them is longer. */
function labelValue(value: string): string {
  return value
    .slice(0, limits.labelValueLengthMax)
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("\n", "\\n");
}

function readSeries({ name }: Family, series: Series | HistogramSeries): MetricSeries {
  const labels = readLabels(series.labels);
  if (series instanceof Series) return { name, labels, value: series.value };
  const { bounds, counts, sum, count } = series;
  return { name, labels, value: count, bounds, counts: [...counts], sum };
}

function exemplarsOf(series: Series | HistogramSeries): Pick<SeriesReading, "exemplars"> {
  if (series instanceof Series || series.exemplars === null) return {};
  return { exemplars: Array.from(series.exemplars, (each) => each ?? null) };
}

/** The way back of `labelText`. */
function readLabels(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)];
  const plain = (value: string): string =>
    value.replace(/\\(.)/g, (_, letter) => (letter === "n" ? "\n" : letter));
  return Object.fromEntries(pairs.map(([, name = "", value = ""]) => [name, plain(value)]));
}
