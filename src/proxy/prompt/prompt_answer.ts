/** Follows the answer of a language model, for the record and for the load of its endpoint. */
import type { ApiShape } from "../../inference/api_shape.ts";
import { answerFormOf, AnswerReader } from "../../inference/answer_reader.ts";
import type { ResponseHead } from "../../http/exchange.ts";
import { errorEvent } from "../../inference/error_event.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { InferenceRecord } from "../../telemetry/record.ts";

export interface PromptAnswerOptions {
  readonly shape: ApiShape;
  readonly record: InferenceRecord;
  readonly nowMs: () => number;
  /** Some of it came. */
  readonly came: (nowMs: number) => void;
  /** Content came; `first`: none had before. */
  readonly moved: (nowMs: number, first: boolean) => void;
  /** Whether its caller may hear how things are called inside of the mesh. */
  readonly outside: boolean;
  /** More of a stream was passed on. */
  readonly passed: (reader: AnswerReader) => void;
}

/** null: it says nothing that could be read. */
export function promptAnswer(head: ResponseHead, options: PromptAnswerOptions): PromptAnswer | null {
  const encoding = head.fields.get("content-encoding");
  if (encoding !== null && encoding.toLowerCase() !== "identity") return null;
  const form = answerFormOf(head.fields.get("content-type"));
  if (form === null) return null;
  return new PromptAnswer(new AnswerReader(options.shape.form, form, options.shape.generates), options);
}

export class PromptAnswer {
  constructor(
    readonly reader: AnswerReader,
    private readonly options: PromptAnswerOptions,
  ) {
    options.record.stream = reader.form !== "whole";
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    const before = this.reader.contents;
    this.options.came(this.options.nowMs());
    this.reader.push(bytes, start, end);
    if (this.reader.contents > before) this.#moved();
  }

  passed(): void {
    if (this.reader.form !== "whole") this.options.passed(this.reader);
  }

  end(): void {
    const before = this.reader.contents;
    this.reader.end();
    if (this.reader.contents > before) this.#moved();
  }

  #moved(): void {
    const { record, nowMs, moved } = this.options;
    const first = record.firstContentMs === 0;
    record.lastContentMs = nowMs();
    if (first) record.firstContentMs = record.lastContentMs;
    moved(record.lastContentMs, first);
  }

  lastWords({ detail }: Outcome): Uint8Array | null {
    const { reader, options } = this;
    if (!reader.atBoundary || reader.complete) return null;
    const message = options.outside ? "the answer could not be completed" : detail;
    return new TextEncoder().encode(errorEvent(reader.wire, message));
  }

  /** Says in the record what came of it. */
  settle(): void {
    const { record } = this.options;
    const { reader } = this;
    record.usage = reader.usage;
    record.outputTokens = reader.outputTokens;
    record.responseModel = reader.model;
    record.finishReason = reader.finishReason;
  }
}
