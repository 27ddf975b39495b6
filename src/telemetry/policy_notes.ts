/** What policies log, count and observe by themselves: each has its share of lines and series, and none that of another. */
import type { Clock } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import { families } from "./families.ts";
import type { Metrics } from "./metrics.ts";

export type PolicyNote =
  | {
      readonly what: "log";
      readonly level: "debug" | "info" | "warn" | "error";
      readonly message: string;
      /** `name=value`, sorted by name. */
      readonly fields: string;
    }
  | {
      readonly what: "count" | "observe";
      readonly name: string;
      readonly value: number;
      /** `name=value,name=value`, sorted by name; "" for none. */
      readonly labels: string;
    };

/** Hears the notes of one answer. */
export type NotesHeard = (policy: string, requestId: string, notes: readonly PolicyNote[]) => void;

const secondMs = 1_000;

/** Of one policy. */
interface Share {
  readonly series: Set<string>;
  sinceMs: number;
  lines: number;
}

export function policyNotes(
  metrics: Metrics,
  clock: Pick<Clock, "now">,
  log: (text: string) => void,
): NotesHeard {
  const counted = metrics.counter(families.policyCounted);
  const observed = metrics.histogram(families.policyObserved);
  const dropped = metrics.counter(families.policyLinesDropped);
  const shares = new Map<string, Share>();
  const shareOf = (policy: string): Share => {
    const known = shares.get(policy);
    if (known !== undefined) return known;
    const made = { series: new Set<string>(), sinceMs: clock.now(), lines: 0 };
    shares.set(policy, made);
    return made;
  };
  return (policy, requestId, notes) => {
    const share = shareOf(policy);
    for (const note of notes) {
      if (note.what === "log") {
        const { level, message, fields } = note;
        if (!takeLine(share, clock.now())) dropped(policy).add(1);
        else log(`policy "${policy}" ${level} ${requestId}: ${message}${fields === "" ? "" : ` ${fields}`}`);
        continue;
      }
      const [name, labels] = seriesOf(share, note.name, note.labels);
      if (note.what === "count") counted(policy, name, labels).add(note.value);
      else observed(policy, name, labels).observe(note.value);
    }
  };
}

function takeLine(share: Share, nowMs: number): boolean {
  if (nowMs - share.sinceMs >= secondMs) {
    share.sinceMs = nowMs;
    share.lines = 0;
  }
  return ++share.lines <= limits.policyLogLinesPerSecond;
}

function seriesOf({ series }: Share, name: string, labels: string): readonly [string, string] {
  const key = `${name} ${labels}`;
  if (series.has(key)) return [name, labels];
  if (series.size >= limits.policySeriesMax) return ["other", "other"];
  series.add(key);
  return [name, labels];
}
