/**
 * The fields of a message head as offsets over one byte buffer, in wire order. HTTP/1 keeps the bytes as they came;
 * HTTP/2 writes what it decoded in the same layout. So a head crosses the proxy by copying spans, not by building strings.
 */

/** Numbers per field in the table: name start, name end, value start, value end (offsets into `bytes`). */
export const fieldStride = 4;

export interface Fields {
  readonly bytes: Uint8Array;
  /** `fieldStride` numbers per field. */
  readonly table: Int32Array;
  readonly count: number;
  /** First value of the name (lower case), or null. */
  get(name: string): string | null;
  /** All values of the name (lower case), in order. */
  getAll(name: string): string[];
  has(name: string): boolean;
  /** A copy that lives on when these are over. */
  copy(): Fields;
  /** Name in lower case and value of the field at `index`. */
  nameAt(index: number): string;
  valueAt(index: number): string;
}

/** What changes between the head that came and the head that goes. Names in lower case. */
export interface FieldEdits {
  /** Fields left out. */
  readonly remove: readonly string[];
  /** name, value, name, value …: written last; a field of the same name that came is left out. */
  readonly set: readonly string[];
  /** name, value, …: written last, beside what came. */
  readonly add: readonly string[];
}

export const noEdits: FieldEdits = { remove: [], set: [], add: [] };

/** Both edits, one after the other. */
export function mergeEdits(first: FieldEdits, second: FieldEdits): FieldEdits {
  if (isEmpty(first)) return second;
  if (isEmpty(second)) return first;
  const gone = new Set([...second.remove, ...second.set.filter((_, at) => at % 2 === 0)]);
  return {
    remove: [...new Set([...first.remove, ...second.remove])],
    set: [...without(first.set, gone), ...second.set],
    add: [...without(first.add, gone), ...second.add],
  };
}

function isEmpty(edits: FieldEdits): boolean {
  return edits.remove.length === 0 && edits.set.length === 0 && edits.add.length === 0;
}

function without(pairs: readonly string[], names: ReadonlySet<string>): string[] {
  return pairs.filter((_, at) => !names.has(pairs[at - (at % 2)] ?? ""));
}
