/** What a mesh tells of its requests, and to whom, as `kind: Mesh` says it. */
import { limits } from "./limits.ts";

/** Why a trace is kept though it was not sampled. */
export const keepReasons = ["error", "slow", "retried", "denied"] as const;
export type KeepReason = (typeof keepReasons)[number];

/** What goes on in requests beside W3C Trace Context. */
export type Propagator = "b3";

export interface TraceSettings {
  /** Of a receiver of OTLP/HTTP: `http://collector:4318`; null: none, and no trace begins. */
  readonly endpoint: string | null;
  /** Of the traces that begin here, in percent. */
  readonly samplePercent: number;
  readonly keep: readonly KeepReason[];
  /** From here on a request is slow, milliseconds. */
  readonly slowMs: number;
  readonly propagate: readonly Propagator[];
}

/** What becomes a line of the access log beside what always does. */
export interface AccessLogSettings {
  /** Of calls that went well, in percent: the same ones at both proxies of a call. */
  readonly samplePercent: number;
  /** From here on a request is slow, milliseconds: its line is kept. */
  readonly slowMs: number;
}

/** Meshes whose metrics heddle has beside its own, for the dashboards that people have. */
export const metricNames = ["istio", "linkerd"] as const;
export type MetricNames = (typeof metricNames)[number];

export interface MetricsSettings {
  /** By whose names /metrics says what it can, too; absent: by its own alone. */
  readonly compat: MetricNames;
  /** Of a receiver of OTLP/HTTP; null: none, metrics are only there to be fetched. */
  readonly endpoint: string | null;
  /** How often they are sent, milliseconds. */
  readonly intervalMs: number;
}

export interface LogSettings {
  /** Of a receiver of OTLP/HTTP; null: none, lines are only written. */
  readonly endpoint: string | null;
}

export interface TelemetrySettings {
  /** What is absent is as in `accessLogDefaults`. */
  readonly accessLog?: Partial<AccessLogSettings>;
  /** What is absent is as in `traceDefaults`. */
  readonly traces?: Partial<TraceSettings>;
  readonly metrics?: Partial<MetricsSettings>;
  readonly logs?: Partial<LogSettings>;
}

export const accessLogDefaults: AccessLogSettings = {
  samplePercent: limits.accessLogSampleShare * 100,
  slowMs: limits.slowExchangeMs,
};

export const traceDefaults: TraceSettings = {
  endpoint: null,
  samplePercent: limits.traceSampleShare * 100,
  keep: keepReasons,
  slowMs: limits.slowExchangeMs,
  propagate: [],
};
