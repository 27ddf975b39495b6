/** The question `metrics`: what the proxy counted, once or again and again. */
import type { Clock } from "../../runtime/contract.ts";
import type { MetricsReading } from "../model/reading.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Answering } from "./answers.ts";
import { every } from "./chores.ts";

export function metricsAnswering(metrics: Metrics, clock: Clock): Answering<"metrics"> {
  return ({ names, everyMs }, reply) => {
    const wanted = new Set(names);
    const read = (): void =>
      reply.line({ atMs: clock.now(), series: metrics.read(wanted) } satisfies MetricsReading);
    read();
    if (everyMs === null) return reply.end();
    const reading = every(clock, everyMs, read);
    return () => reading.close();
  };
}
