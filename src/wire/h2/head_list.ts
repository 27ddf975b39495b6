/**
 * How long the field list of a head is as HTTP/2 counts it (RFC 9113 section 10.5.1): names and values as they are before
 * compression, and 32 bytes for each field. A peer may say how much of that it takes; a head must be measured before it is
 * encoded, because the encoder's table is changed by what it writes.
 */
import { fieldStride, type FieldEdits, type Fields } from "../fields.ts";
import { isDropped, type FieldWriting } from "../h1/write_head.ts";
import { HeadFields, idOf, nameIdAt } from "../head_fields.ts";
import { fieldOverheadBytes } from "./field_line.ts";

const teId = idOf("te");
/** `te: trailers`, which is what crosses of that field. */
const teBytes = 2 + 8 + fieldOverheadBytes;

/** Bytes of one field. */
export function listedBytes(name: string, value: string): number {
  return name.length + value.length + fieldOverheadBytes;
}

/** At most so much: nearly all heads are far from every limit, and need not be looked at field by field. */
export function listBytesAtMost(fields: Fields | null, { set, add }: FieldEdits): number {
  return pairsBytes(set) + pairsBytes(add) + (fields === null ? 0 : bytesAtMost(fields));
}

/** Of the fields that cross and what the edits set and add; those that the codec writes itself come on top. */
export function listBytes(fields: Fields | null, writing: FieldWriting, request: boolean): number {
  const { set, add } = writing.edits;
  return pairsBytes(set) + pairsBytes(add) + (fields === null ? 0 : crossingBytes(fields, writing, request));
}

function pairsBytes(pairs: FieldEdits["set"]): number {
  let sum = 0;
  for (let at = 0; at + 1 < pairs.length; at += 2)
    sum += listedBytes(pairs[at] as string, pairs[at + 1] as string);
  return sum;
}

/** Fields stand in the buffer one after the other. */
function bytesAtMost({ table, count }: Fields): number {
  if (count === 0) return 0;
  const last = (count - 1) * fieldStride;
  return (table[last + 3] as number) - (table[0] as number) + count * fieldOverheadBytes;
}

function crossingBytes(fields: Fields, writing: FieldWriting, request: boolean): number {
  const { bytes, table, count } = fields;
  const ids = fields instanceof HeadFields ? fields.ids : null;
  let sum = 0;
  for (let index = 0; index < count; index++) {
    const at = index * fieldStride;
    const [start, end] = [table[at] as number, table[at + 1] as number];
    const id = ids === null ? nameIdAt(bytes, start, end) : (ids[index] as number);
    if (isDropped(fields, index, id, writing)) sum += id === teId && request ? teBytes : 0;
    else sum += end - start + (table[at + 3] as number) - (table[at + 2] as number) + fieldOverheadBytes;
  }
  return sum;
}

/** What a peer said of the heads that it takes, in words that follow its name. */
export function takesHeads(most: number): string {
  return `takes ${most} (its SETTINGS_MAX_HEADER_LIST_SIZE)`;
}
