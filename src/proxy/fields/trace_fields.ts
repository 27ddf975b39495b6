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

/** The edits, with the trace in place of what the request came with. `b3`: in the form of B3 too. */
export function tracedEdits({ remove, set, add }: FieldEdits, trace: TraceRef, b3: boolean): FieldEdits {
  const { traceId, spanId, sampled, random, state } = trace;
  const pairs = [parentField, parentText(traceId, spanId, sampled, random)];
  if (state !== "") pairs.push(stateField, state);
  const gone = state === "" ? [...remove, stateField] : remove;
  if (!b3) return { remove: gone, set: [...set, ...pairs], add };
  pairs.push(b3Field, b3Text(traceId, spanId, sampled));
  return { remove: [...gone, ...oldB3Fields], set: [...set, ...pairs], add };
}

/** The edits of a hop below it in this process: its own span stands where that of the hop above stood. */
export function tracedBelow(edits: FieldEdits, trace: TraceRef, b3: boolean): FieldEdits {
  const set: string[] = [];
  for (let at = 0; at < edits.set.length; at += 2) {
    const name = edits.set[at] as string;
    if (name !== parentField && name !== stateField && name !== b3Field)
      set.push(name, edits.set[at + 1] as string);
  }
  return tracedEdits({ ...edits, set }, trace, b3);
}
