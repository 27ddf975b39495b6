/** An answer that waits until policies have looked at its head: what comes of it meanwhile is kept. Whoever sends it was told to pause. */
import type { ResponseHead } from "../../http/exchange.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { FieldEdits, Fields } from "../../wire/fields.ts";
import { fieldsFrom } from "../../wire/head_fields.ts";

/** The head as it goes on, with these edits made. */
export function headWith(head: ResponseHead, { remove, set, add }: FieldEdits): ResponseHead {
  if (remove.length + set.length + add.length === 0) return head;
  const gone = new Set([...remove, ...set.filter((_, at) => at % 2 === 0)]);
  const { fields } = head;
  const kept = Array.from({ length: fields.count }, (_, at) => at)
    .filter((at) => !gone.has(fields.nameAt(at)))
    .flatMap((at) => [fields.nameAt(at), fields.valueAt(at)]);
  return { ...head, fields: fieldsFrom([...kept, ...set, ...add]) };
}

export class HeldAnswer {
  /** A copy, which lives on when the stream it came on has ended. */
  readonly head: ResponseHead;
  /** All of it has come. */
  over = false;
  trailers: Fields | null = null;
  /** It will never come whole. */
  broken: Outcome | null = null;
  readonly #chunks: Uint8Array[] = [];

  constructor({ status, fields, contentLength, tunnel, nominated, whole }: ResponseHead) {
    this.head = { status, fields: fields.copy(), contentLength, tunnel, nominated, whole };
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    this.#chunks.push(bytes.slice(start, end));
  }

  end(trailers: Fields | null): void {
    this.over = true;
    this.trailers = trailers?.copy() ?? null;
  }

  /** Hands on what came of its body, in order. */
  replay(take: (bytes: Uint8Array, start: number, end: number) => void): void {
    for (const chunk of this.#chunks) take(chunk, 0, chunk.length);
    this.#chunks.length = 0;
  }
}
