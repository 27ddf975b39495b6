/** How a request says its trace to whoever gets it. */
import type { TraceRef } from "../../model/trace_ref.ts";
import type { FieldEdits } from "../../wire/fields.ts";
import { b3Field, b3Fields, b3Text, parentField, parentText, stateField } from "../../wire/trace_context.ts";

/** On an answer between proxies: what the one that answers keeps of the call, though nobody had decided so. */
export const keepField = "x-heddle-keep";
/** Its trace, and with it its line in the access log; or that line alone. */
export type Kept = "trace" | "line";
export const keptTexts: Readonly<Record<Kept, string>> = { trace: "1", line: "line" };

const oldB3Fields: readonly string[] = Object.values(b3Fields);

/** Left out where the trace has no state of others: one list for all requests, since whoever writes heads tells lists apart. */
const noState: readonly string[] = [stateField];

/** The edits, with the trace in place of what the request came with. `b3`: in the form of B3 too. */
export function tracedEdits({ remove, set, add }: FieldEdits, trace: TraceRef, b3: boolean): FieldEdits {
  const { traceId, spanId, sampled, random, state } = trace;
  const parent = parentText(traceId, spanId, sampled, random);
  // Nearly all requests have an id to set and nothing else: then no list is spread.
  if (!b3 && state === "" && remove.length === 0 && set.length <= 2)
    return {
      remove: noState,
      set:
        set.length === 0 ? [parentField, parent] : [set[0] as string, set[1] as string, parentField, parent],
      add,
    };
  const pairs = [parentField, parent];
  if (state !== "") pairs.push(stateField, state);
  const gone = state === "" ? [...remove, stateField] : remove;
  if (!b3) return { remove: gone, set: [...set, ...pairs], add };
  pairs.push(b3Field, b3Text(traceId, spanId, sampled));
  return { remove: [...gone, ...oldB3Fields], set: [...set, ...pairs], add };
}

/** The edits of a hop below it in this process: its own span stands where that of the hop above stood. */
export function tracedBelow(edits: FieldEdits, trace: TraceRef, b3: boolean): FieldEdits {
  const { traceId, spanId, sampled, random, state } = trace;
  const { set } = edits;
  if (!b3 && state === "" && set.length === 4 && set[2] === parentField)
    return {
      remove: edits.remove,
      set: [set[0] as string, set[1] as string, parentField, parentText(traceId, spanId, sampled, random)],
      add: edits.add,
    };
  const others: string[] = [];
  for (let at = 0; at < set.length; at += 2) {
    const name = set[at] as string;
    if (name !== parentField && name !== stateField && name !== b3Field)
      others.push(name, set[at + 1] as string);
  }
  return tracedEdits({ ...edits, set: others }, trace, b3);
}
