/**
 * What a sealed process says of itself and its policies, read with doubt: each text has a schema and bounds, and whoever says
 * something else has broken the protocol. Answers of calls are read by `answers.ts`.
 */
import * as v from "valibot";
import { limits } from "../model/limits.ts";
import { burdenOf } from "./burden.ts";
import type { OptionsAnswer } from "./options_checks.ts";
import type { LostText, ReadyText } from "./protocol.ts";

const flag = v.boolean();
const count = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffffffff));
const reason = v.pipe(v.string(), v.maxLength(limits.policyReasonLengthMax));
/** Of the policy itself: as much of it as fits. */
const itsWords = v.pipe(
  v.string(),
  v.transform((text) => text.slice(0, limits.policyIssueLengthMax)),
);
const itsIssues = v.pipe(
  v.array(v.object({ path: itsWords, message: itsWords })),
  v.transform((issues) => issues.slice(0, limits.policyIssuesMax)),
);

const ready = v.strictObject({
  sealed: flag,
  why: v.nullable(v.pipe(v.string(), v.maxLength(limits.policyFieldLengthMax))),
});
const bound = v.strictObject({ issues: itsIssues });
const lost = v.strictObject({
  busyUs: count,
  reason,
  batches: v.pipe(v.array(count), v.maxLength(limits.policyInboxMax)),
  restarted: flag,
});

export function readReady(text: string): ReadyText | null {
  return read(ready, text);
}

export function readBound(text: string): OptionsAnswer | null {
  return read(bound, text);
}

export function readLost(text: string): LostText | null {
  return read(lost, text);
}

/** What a bundle says of itself is handed on as text. */
export function readLoaded(text: string): string | null {
  return text.length <= limits.policyDescriptionLengthMax && json(text) !== undefined ? text : null;
}

function read<Schema extends v.GenericSchema>(schema: Schema, text: string): v.InferOutput<Schema> | null {
  const result = v.safeParse(schema, json(text));
  return result.success ? result.output : null;
}

function json(text: string): unknown {
  if (burdenOf(text) !== null) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
