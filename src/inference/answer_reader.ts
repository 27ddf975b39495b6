/**
 * Reads what matters of an answer of a model's API while it passes, split anywhere: when its text begins, how much of it came, what it
 * cost, how it ended. Events without any of that cost a look at their text, no more; what is too long is passed over.
 */
import { latin1 } from "../base/bytes.ts";
import { limits } from "../model/limits.ts";
import type { Usage } from "../model/usage.ts";
import type { WireForm } from "./api_shape.ts";
import { UsageSum } from "./usage.ts";

/** `events`: server-sent ones; `lines`: a JSON object in each; `whole`: one object. */
export type AnswerForm = "events" | "lines" | "whole";

/** By the media type; null: nothing that could be read. */
export function answerFormOf(contentType: string | null): AnswerForm | null {
  const type = (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (type === "text/event-stream") return "events";
  if (type === "application/x-ndjson") return "lines";
  return type === "application/json" || type.endsWith("+json") ? "whole" : null;
}

/** Text of the answer, of tools it calls, or of its reasoning: one character of it at least. */
const content =
  /"(?:content|text|delta|thinking|partial_json|reasoning_content|reasoning|arguments|refusal|response)"\s*:\s*"(?!")/;
/** Of a whole answer so much of its beginning and so much of its end are kept, where usage stands. */
const wholeHeadMax = 8_192;
const wholeTailMax = 32_768;

export class AnswerReader {
  /** Events that had content. */
  contents = 0;
  /** Of the content, about, in bytes. */
  contentBytes = 0;
  /** The last event came that a complete answer has. */
  complete = false;
  /** It said that it failed. */
  failed = false;
  /** Model that answers, as it says; "": it does not. */
  model = "";
  /** Why it ended, as it says: `stop`, `length`, `end_turn`; "": it does not. */
  finishReason = "";
  readonly #sum: UsageSum;
  /** Of a line, or of the whole answer. */
  #text = "";
  #tail = "";
  #tooLong = false;
  #afterReturn = false;
  #event = "";
  #data = "";

  constructor(
    readonly wire: WireForm,
    readonly form: AnswerForm,
    /** What it answers is text. */
    readonly generates = true,
  ) {
    this.#sum = new UsageSum(wire);
  }

  get usage(): Usage {
    return this.#sum.usage;
  }

  /** Tokens of the answer so far: what it says, or what its text comes to. Engines send an event for each, providers for several. */
  get outputTokens(): number {
    const said = this.usage.output;
    // What is said before the end is of the beginning alone: Anthropic's first event says 1.
    if (said !== null && this.complete) return said;
    const byText = Math.ceil(this.contentBytes / limits.promptBytesPerToken);
    return Math.max(said ?? 0, byText > 2 * this.contents ? byText : this.contents);
  }

  /** Between two events of a stream: something may be written there. */
  get atBoundary(): boolean {
    return (
      this.form !== "whole" && this.#text === "" && this.#data === "" && this.#event === "" && !this.#tooLong
    );
  }

  push(bytes: Uint8Array, start: number, end: number): void {
    if (this.form === "whole") return this.#keepWhole(latin1(bytes, start, end));
    let from = start;
    for (let at = start; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte !== 0x0a && byte !== 0x0d) {
        this.#afterReturn = false;
        continue;
      }
      const isSecond = byte === 0x0a && this.#afterReturn;
      this.#afterReturn = byte === 0x0d;
      if (!isSecond) {
        this.#keep(bytes, from, at);
        this.#endLine();
      }
      from = at + 1;
    }
    if (from < end) this.#keep(bytes, from, end);
  }

  /** All of it came. */
  end(): void {
    if (this.form === "whole") this.#endWhole();
    else if (this.form === "lines") this.#endLine();
  }

  #keep(bytes: Uint8Array, start: number, end: number): void {
    if (this.#tooLong || this.#text.length + end - start > limits.inferenceEventBytesMax) {
      this.#tooLong = true;
      this.#text = "";
    } else if (start < end) this.#text += latin1(bytes, start, end);
  }

  #endLine(): void {
    const line = this.#text;
    const unread = this.#tooLong;
    this.#text = "";
    this.#tooLong = false;
    if (this.form === "lines") return line === "" || unread ? undefined : this.#see(line);
    if (unread) return;
    if (line === "") return this.#endEvent();
    const value = valueOf(line);
    if (line.startsWith("data:")) this.#data = this.#data === "" ? value : `${this.#data}\n${value}`;
    else if (line.startsWith("event:")) this.#event = value;
  }

  #endEvent(): void {
    const [name, data] = [this.#event, this.#data];
    this.#event = this.#data = "";
    if (data === "") return;
    if (data === "[DONE]") this.complete = true;
    else this.#see(data, name);
  }

  /** One object of a stream. */
  #see(text: string, name = ""): void {
    if (this.#mayHaveContent(text, name)) {
      const found = content.exec(text);
      if (found !== null) {
        this.contents++;
        this.contentBytes += lengthOfString(text, found.index + found[0].length);
      }
    }
    const tells =
      this.model === "" || /"(?:usage|error|done|stop_reason|message)"/.test(text) || isFinish(text, name);
    if (!tells) return;
    const value = parsed(text);
    this.#sum.merge(value);
    this.#tell(value, name);
  }

  /** Some events repeat what came before. */
  #mayHaveContent(text: string, name: string): boolean {
    if (this.wire === "openai" || this.wire === "ollama") return true;
    const type = name === "" ? typeOf(text) : name;
    return this.wire === "anthropic" ? type === "content_block_delta" : type.endsWith(".delta");
  }

  #tell(value: unknown, name: string): void {
    const told = (value ?? {}) as Told;
    const { message, response = {} } = told;
    const inside = typeof response === "object" && response !== null ? response : {};
    const messaged = typeof message === "object" && message !== null ? message : {};
    this.model = textOf(told.model) || textOf(messaged.model) || textOf(inside.model) || this.model;
    const type = name || textOf(told.type);
    if (told.error !== undefined && told.error !== null) this.failed = true;
    if (type === "error" || type === "response.failed") this.failed = true;
    if (type === "message_stop" || /^response\.(?:completed|incomplete|failed)$/.test(type))
      this.complete = true;
    if (told.done === true) this.complete = true;
    const reason =
      textOf(told.choices?.[0]?.finish_reason) ||
      textOf(told.delta?.stop_reason) ||
      textOf(told.stop_reason) ||
      textOf(told.done_reason) ||
      (this.wire === "responses" ? textOf(inside.status) || textOf(told.status) : "");
    if (reason !== "") this.finishReason = reason;
  }

  #keepWhole(text: string): void {
    // Until it says itself what it has: embeddings are no text.
    if (this.generates) this.contentBytes += text.length;
    const room = Math.max(0, wholeHeadMax - this.#text.length);
    this.#text += text.slice(0, room);
    if (text.length <= room) return;
    const tail = this.#tail + text.slice(room);
    this.#tooLong ||= tail.length > wholeTailMax;
    this.#tail = tail.slice(-wholeTailMax);
  }

  #endWhole(): void {
    const text = this.#text + this.#tail;
    this.complete = true;
    const value = this.#tooLong ? undefined : parsed(text);
    if (value !== undefined) {
      this.#sum.merge(value);
      this.#tell(value, "");
      if (content.test(text)) this.contents = 1;
      return;
    }
    // A quote inside of a string has a backslash before it: this is the name of a field.
    const usage = objectAt(text, text.lastIndexOf('"usage"'));
    if (usage !== null) this.#sum.merge({ usage });
    if (this.wire === "ollama") this.#sum.merge(countsOf(text));
    if (content.test(text)) this.contents = 1;
  }
}

interface Told {
  readonly model?: unknown;
  readonly type?: unknown;
  readonly error?: unknown;
  readonly status?: unknown;
  readonly done?: unknown;
  readonly done_reason?: unknown;
  readonly stop_reason?: unknown;
  readonly delta?: { readonly stop_reason?: unknown } | null;
  readonly message?: { readonly model?: unknown } | string | null;
  readonly response?: { readonly model?: unknown; readonly status?: unknown } | string | null;
  readonly choices?: readonly ({ readonly finish_reason?: unknown } | undefined)[] | null;
}

function valueOf(line: string): string {
  const colon = line.indexOf(":");
  return line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
}

function typeOf(text: string): string {
  return /"type"\s*:\s*"([^"]*)"/.exec(text)?.[1] ?? "";
}

function isFinish(text: string, name: string): boolean {
  return /"finish_reason"\s*:\s*"/.test(text) || /^(?:message_|response\.[a-z]+$|error)/.test(name);
}

/** Of a string of JSON whose text begins there, as written. */
function lengthOfString(text: string, start: number): number {
  let at = start;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at - start;
}

/** The object that follows the name at `from`; null for none. */
function objectAt(text: string, from: number): unknown {
  const start = from < 0 ? -1 : text.indexOf("{", from);
  if (start < 0) return null;
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return parsed(text.slice(start, at + 1)) ?? null;
  }
  return null;
}

/** Those that Ollama writes beside a long context, at the end of its answer. */
function countsOf(text: string): Record<string, number> {
  const found = text.matchAll(/"(prompt_eval_count|eval_count)"\s*:\s*(\d{1,15})(?=\s*[,}])/g);
  return Object.fromEntries([...found].map(([, name, count]) => [name as string, Number(count)]));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
