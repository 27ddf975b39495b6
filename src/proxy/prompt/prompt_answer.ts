/** Follows the answer of a language model, for the record and for the load of its endpoint. */
import type { ApiShape } from "../../inference/api_shape.ts";
import { answerFormOf, AnswerReader } from "../../inference/answer_reader.ts";
import type { ResponseHead } from "../../http/exchange.ts";
import type { InferenceRecord } from "../../telemetry/record.ts";

export interface PromptAnswerOptions {
  readonly shape: ApiShape;
  readonly record: InferenceRecord;
  readonly nowMs: () => number;
  /** Its first content came. */
  readonly began: (nowMs: number) => void;
}

/** null: it says nothing that could be read. */
export function promptAnswer(head: ResponseHead, options: PromptAnswerOptions): PromptAnswer | null {
  const encoding = head.fields.get("content-encoding");
  if (encoding !== null && encoding.toLowerCase() !== "identity") return null;
  const form = answerFormOf(head.fields.get("content-type"));
  return form === null ? null : new PromptAnswer(new AnswerReader(options.shape.form, form), options);
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
    this.reader.push(bytes, start, end);
    if (this.reader.contents > before) this.#moved();
  }

  end(): void {
    const before = this.reader.contents;
    this.reader.end();
    if (this.reader.contents > before) this.#moved();
  }

  #moved(): void {
    const { record, nowMs, began } = this.options;
    record.lastContentMs = nowMs();
    if (record.firstContentMs > 0) return;
    record.firstContentMs = record.lastContentMs;
    began(record.lastContentMs);
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
