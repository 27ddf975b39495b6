/** What a proxy counted, as operators read it. */

/** At one moment. */
export interface MetricsReading {
  /** Monotonic in the proxy, milliseconds: what lies between two readings of one proxy. */
  readonly atMs: number;
  readonly series: readonly MetricSeries[];
}

export interface MetricSeries {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of a counter or gauge; of a histogram the number of observations. */
  readonly value: number;
  /** Of a histogram alone: upper bounds, observations up to each and above the one before, and the sum of all. */
  readonly bounds?: readonly number[];
  readonly counts?: readonly number[];
  readonly sum?: number;
}

/** What apps of one machine serve of a service at a moment. */
export interface UnderWayLine {
  /** Key of the service. */
  readonly service: string;
  /** Requests without the end of their answer. */
  readonly exchanges: number;
  /** Of those: answers that may last. */
  readonly streams: number;
  /** Opaque ones. */
  readonly connections: number;
}
