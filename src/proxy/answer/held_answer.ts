/** An answer that waits until policies have looked at it: what comes of it meanwhile is kept. Whoever sends it is told to pause, unless its body is wanted, too. */
import type { Buffered } from "../../http/buffered.ts";
import type { ResponseHead } from "../../http/exchange.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { AnswerVerdict } from "../../policy/answer_verdict.ts";
import { digestFields } from "../../policy/bodies.ts";
import { mergeEdits, noEdits, type FieldEdits, type Fields } from "../../wire/fields.ts";
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

/** Who waits for its body. */
interface Gathering {
  readonly most: number;
  readonly then: (whole: Uint8Array | "too long" | null) => void;
}

export class HeldAnswer {
  /** A copy, which lives on when the stream it came on has ended. */
  head: ResponseHead;
  /** All of it has come. */
  over = false;
  trailers: Fields | null = null;
  #broken: Outcome | null = null;
  #gathering: Gathering | null = null;
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  constructor(
    { status, fields, contentLength, tunnel, nominated, whole }: ResponseHead,
    private readonly buffered: Pick<Buffered, "count">,
    /** Whoever sends it is to wait. */
    private readonly pause: () => void,
  ) {
    this.head = { status, fields: fields.copy(), contentLength, tunnel, nominated, whole };
  }

  /** It will never come whole. */
  get broken(): Outcome | null {
    return this.#broken;
  }

  set broken(outcome: Outcome | null) {
    this.#broken = outcome;
    this.#tell(null);
  }

  /** Takes its body, too: `then` hears of it once, or that it is longer; null: it broke. */
  gather(most: number, then: Gathering["then"]): void {
    this.#gathering = { most, then };
    if (this.over) this.#tell(this.#whole());
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    this.#chunks.push(bytes.slice(start, end));
    this.#count(end - start);
    if (this.#gathering !== null && this.#bytes <= this.#gathering.most) return;
    // Before it is told: it may go on from inside.
    this.pause();
    this.#tell("too long");
  }

  end(trailers: Fields | null): void {
    this.over = true;
    this.trailers = trailers?.copy() ?? null;
    if (this.#gathering !== null) this.#tell(this.#whole());
  }

  /** What policies make of it. Returns what they change of its fields. */
  obey({ edits, status, json }: Extract<AnswerVerdict, { do: "next" }>): FieldEdits {
    if (status !== undefined) this.head = { ...this.head, status };
    if (json === undefined) return edits;
    const body = new TextEncoder().encode(json);
    this.drop();
    this.#chunks = [body];
    this.#count(body.length);
    // What has no length said before may have trailers.
    if (this.head.contentLength >= 0) this.head = { ...this.head, contentLength: body.length };
    return mergeEdits(edits, { ...noEdits, remove: digestFields });
  }

  /** Hands on what came of its body, in order. */
  replay(take: (bytes: Uint8Array, start: number, end: number) => void): void {
    const chunks = this.#chunks;
    this.drop();
    for (const chunk of chunks) take(chunk, 0, chunk.length);
  }

  /** Nobody wants it. */
  drop(): void {
    this.#chunks = [];
    this.#count(-this.#bytes);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.buffered.count(bytes);
  }

  #whole(): Uint8Array {
    const whole = new Uint8Array(this.#bytes);
    let at = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }

  #tell(whole: Uint8Array | "too long" | null): void {
    const gathering = this.#gathering;
    this.#gathering = null;
    gathering?.then(whole);
  }
}
