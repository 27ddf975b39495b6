/** What all that is sent by OTLP has in common: who sends it, how it is encoded, and what a receiver did not take. */
import type { HrTime } from "@opentelemetry/api";
import type { Attributes } from "../trace/span.ts";

export type OtlpEncoding = "http/protobuf" | "http/json";

/** Kinds of telemetry, as OpenTelemetry calls them. */
export const signals = ["traces", "metrics", "logs"] as const;
export type Signal = (typeof signals)[number];

/** Who sends. */
export interface OtlpSender {
  /** `service.name`, `host.name`, … */
  readonly resource: Attributes;
  /** Of heddle. */
  readonly version: string;
  readonly encoding: OtlpEncoding;
}

/** How many a receiver did not take, and why. */
export interface Rejected {
  readonly count: number;
  readonly reason: string;
}

/** As the encoder takes them; of what it also can it asks nothing here. */
export function scopeOf({ resource, version }: OtlpSender) {
  return { resource: { attributes: resource }, scope: { name: "heddle", version } };
}

/** Seconds and nanoseconds since 1970. */
export function timeOf(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1e6)];
}
