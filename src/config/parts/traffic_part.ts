/** What a group of `kind: Traffic` and `kind: Mesh` is made of, and fields that several groups have. */
import * as v from "valibot";
import type { TrafficGroup, TrafficTraits, WholeGroup } from "../../model/traffic.ts";
import { duration } from "../fields.ts";

export interface TrafficPart<Group extends TrafficGroup, Schema extends v.GenericSchema> {
  readonly schema: Schema;
  /** What it is for, in one sentence without a full stop. */
  readonly words: string;
  /** What is not written stays absent: the proxies know the defaults. `namespace`: where the document lies. */
  readonly expand: (written: v.InferOutput<Schema>, namespace: string) => NonNullable<TrafficTraits[Group]>;
  /**
   * What does not go together in `inForce`, the values of this document with those below it. `written`: what the document itself
   * says; only it may be blamed. `field`: as operators write it.
   */
  readonly check?: (
    inForce: WholeGroup<Group>,
    written: NonNullable<TrafficTraits[Group]>,
    report: (field: string, message: string) => void,
  ) => void;
}

const percentForm = "a percentage from 0 to 100";
export const percent = v.pipe(
  v.number(percentForm),
  v.minValue(0, percentForm),
  v.maxValue(100, percentForm),
);

/** Both bounds included. */
export function wholeNumber(least: number, most: number) {
  const form = `a whole number from ${least} to ${most}`;
  return v.pipe(v.number(form), v.integer(form), v.minValue(least, form), v.maxValue(most, form));
}

/** A duration with a least value; `text`: that value as operators write it. */
export function atLeast(text: string, ms: number) {
  return v.pipe(duration, v.minValue(ms, `a duration of at least ${text}`));
}

type InMs<Written, Timed extends keyof Written & string> = {
  readonly [Field in keyof Written & string as Field extends Timed ? `${Field}Ms` : Field]?: Exclude<
    Written[Field],
    undefined
  >;
};

/** What was written, without what was not; durations, which `timed` names, under names that end in `Ms`. */
export function inMs<Written extends object, const Timed extends keyof Written & string>(
  written: Written,
  timed: readonly Timed[],
): InMs<Written, Timed> {
  const isTimed = (field: string): boolean => (timed as readonly string[]).includes(field);
  const said = Object.entries(written).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    said.map(([field, value]) => [isTimed(field) ? `${field}Ms` : field, value]),
  ) as InMs<Written, Timed>;
}
