/**
 * Mappings whose keys are the author's own: labels, subsets, weights, options. Every key counts or is refused with its place;
 * the library's own `record` passes over the keys `constructor`, `prototype` and `__proto__` without a word.
 */
import * as v from "valibot";

/** The library takes a list for a mapping with the keys 0, 1, 2. */
export const mapping = v.custom<Readonly<Record<string, unknown>>>(
  (input) => typeof input === "object" && input !== null && !Array.isArray(input),
  "a mapping",
);

type Key = v.BaseSchema<string, string, v.BaseIssue<unknown>>;

/** A mapping of any keys that `key` takes to values that `value` takes. `__proto__` is never one of them. */
export function record<const K extends Key, const V extends v.GenericSchema>(key: K, value: V) {
  type Run = v.RecordSchema<K, V, undefined>["~run"];
  const known = v.pipe(
    key,
    v.check((text) => text !== "__proto__", "another name"),
  );
  const run = ((dataset: v.UnknownDataset, config: v.Config<v.BaseIssue<unknown>>) => {
    const input = dataset.value as Readonly<Record<string, unknown>>;
    const issues: v.BaseIssue<unknown>[] = [];
    const entries: [string, unknown][] = [];
    let typed = true;
    const read = (schema: v.GenericSchema, origin: "key" | "value", name: string, given: unknown) => {
      const answer = schema["~run"]({ value: given }, config);
      const item = { type: "object", origin, input, key: name, value: input[name] } as const;
      for (const issue of answer.issues ?? []) {
        // Problems of a key stand at the key, those inside of a value deeper than the value.
        const path = origin === "key" ? [] : (issue.path ?? []);
        issues.push({ ...issue, path: [item, ...path] });
      }
      typed &&= answer.typed === true;
      return answer.value;
    };
    for (const [name, given] of Object.entries(input)) {
      entries.push([read(known, "key", name, name) as string, read(value, "value", name, given)]);
      if (issues.length > 0 && config.abortEarly === true) break;
    }
    return {
      typed,
      value: Object.fromEntries(entries),
      ...(issues.length > 0 ? { issues } : {}),
    };
  }) as unknown as Run;
  return v.pipe(mapping, { ...v.record(key, value), "~run": run });
}
