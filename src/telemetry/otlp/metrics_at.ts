/** Metrics as they go to receivers of OpenTelemetry: what is sent, apart from how. */
import type { FamilyReading } from "../metrics.ts";

/** All metrics at one moment. */
export interface MetricsAt {
  /** Milliseconds since 1970: when counting began, and when it was read. */
  readonly startMs: number;
  readonly atMs: number;
  readonly families: readonly FamilyReading[];
}

/** How many series were read. */
export function pointsOf({ families: all }: MetricsAt): number {
  return all.reduce((sum, { series }) => sum + series.length, 0);
}
