/** Questions about what the proxy counted: `metrics`, once or again and again, and `exposition`. */
import type { Clock } from "../../runtime/contract.ts";
import type { MetricsReading } from "../model/reading.ts";
import { limits } from "../model/limits.ts";
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

/** The question `exposition`: the page of metrics, in pieces. */
export function expositionAnswering(metrics: Metrics): Answering<"exposition"> {
  return ({ format }, reply) => {
    const { expositionCharactersMax, expositionPieceCharacters: size } = limits;
    const text = metrics.expose(format);
    if (text.length > expositionCharactersMax)
      return reply.end(
        `its metrics are ${text.length} characters long, more than ${expositionCharactersMax} (expositionCharactersMax): fetch them on that machine`,
      );
    for (let at = 0; at < text.length; at += size) reply.line(text.slice(at, at + size));
    reply.end();
  };
}
