/**
 * An engine for tests, over HTTP: the APIs of OpenAI (chat, completions, responses, embeddings, models) and of Anthropic (messages), with
 * streams; the metrics of each engine under their real names; a batch model for what it takes; and faults on purpose.
 */
import type { ServerExchange } from "../../../src/http/exchange.ts";
import type { Engine } from "../../../src/model/inference.ts";
import type { Clock, Runtime } from "../../../runtime/contract.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { hashText } from "../../../src/base/hash.ts";
import { serve, type Version } from "../http_relay.ts";
import { EngineModel, type EngineSettings, type Job } from "./engine_model.ts";
import { answerOf, errorOf, type Ask, type AnswerWriter } from "./engine_answers.ts";
import { engineMetrics } from "./engine_metrics.ts";

/** What it does wrong to the next requests, until it is told otherwise. */
export interface EngineFaults {
  /** Answers with this status, in the form of the API. */
  status?: number;
  /** Further fields of such an answer. */
  headers?: readonly string[];
  /** Stands still: before the head, before the first token, or after so many tokens. */
  stall?: "head" | "first" | number;
  /** Media type of whole answers, instead of JSON's. */
  type?: string;
  /** Bytes that a stream says that it has. */
  length?: number;
  /** Ends the connection after so many tokens. */
  breakAfter?: number;
}

export interface FakeEngineOptions {
  readonly engine?: Engine;
  readonly models?: readonly string[];
  readonly version?: Version;
  readonly settings?: Partial<EngineSettings>;
  /** Of how many tokens answers are, where requests set no bound. */
  readonly outputTokens?: number;
}

/** What it was asked, and what became of that. */
export interface EngineCall {
  readonly path: string;
  readonly body: Record<string, unknown>;
  readonly exchange: ServerExchange;
  cachedTokens: number;
  tokens: number;
  ended: boolean;
  /** When it heard that nobody waits any more, milliseconds of the clock; null: it did not. */
  cancelledMs: number | null;
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();
/** Characters of a token. */
const tokenLength = 4;

export class FakeEngine {
  readonly calls: EngineCall[] = [];
  readonly faults: EngineFaults = {};
  /** Of one call, instead of those; null: those hold for all. */
  faultsOf: ((call: EngineCall) => EngineFaults) | null = null;
  readonly model: EngineModel;
  readonly port: number;
  readonly #server: ReturnType<typeof serve>;
  readonly #clock: Clock;
  #running = false;

  constructor(
    runtime: Runtime,
    readonly options: FakeEngineOptions = {},
  ) {
    this.model = new EngineModel(options.settings);
    this.#clock = runtime.clock;
    const { version = "http/1.1" } = options;
    this.#server = serve(runtime, (exchange) => this.#take(exchange), { version });
    this.port = this.#server.port;
  }

  close(): void {
    this.#server.close();
  }

  get models(): readonly string[] {
    return this.options.models ?? ["tiny"];
  }

  #take(exchange: ServerExchange): void {
    const { path } = exchange.request;
    const chunks: Uint8Array[] = [];
    let call: EngineCall | null = null;
    let job: Job | null = null;
    exchange.accept({
      data: (bytes, start, end) => void chunks.push(bytes.slice(start, end)),
      end: () => {
        if (exchange.request.method === "GET") return this.#get(exchange, path);
        call = this.#call(exchange, path, decoder.decode(Buffer.concat(chunks)));
        if (call !== null) job = this.#begin(call);
      },
      aborted: () => {
        if (call === null) return;
        call.cancelledMs = this.#clock.now();
        if (job !== null) this.model.cancel(job);
      },
      writable: () => {},
    });
  }

  #get(exchange: ServerExchange, path: string): void {
    const { engine = "vllm" } = this.options;
    const metrics = engineMetrics(engine, this.model, this.models[0] as string, path);
    if (metrics !== null) return give(exchange, 200, "text/plain; version=0.0.4", metrics);
    if (path === "/v1/models")
      return give(exchange, 200, "application/json", JSON.stringify(modelList(engine, this.models)));
    give(exchange, path === "/health" ? 200 : 404, "text/plain", "");
  }

  #call(exchange: ServerExchange, path: string, text: string): EngineCall | null {
    let body: Record<string, unknown>;
    try {
      body = JSON.parse(text);
    } catch {
      give(exchange, 400, "application/json", errorOf(path, 400, "the body is no JSON"));
      return null;
    }
    const call = { path, body, exchange, cachedTokens: 0, tokens: 0, ended: false, cancelledMs: null };
    this.calls.push(call);
    return call;
  }

  #begin(call: EngineCall): Job | null {
    const faults = this.faultsOf?.(call) ?? this.faults;
    const { status, stall, headers = [] } = faults;
    const { exchange, path, body } = call;
    if (stall === "head") return null;
    if (status !== undefined) {
      give(exchange, status, "application/json", errorOf(path, status, "on purpose"), headers);
      return null;
    }
    const prompt = promptOf(body);
    const promptTokens = Math.max(1, Math.ceil(prompt.length / tokenLength));
    const asked = body.max_tokens ?? body.max_completion_tokens ?? body.max_output_tokens;
    const outputTokens = typeof asked === "number" ? asked : (this.options.outputTokens ?? 16);
    const ask: Ask = { path, body, promptTokens, outputTokens, model: String(body.model ?? this.models[0]) };
    const writer = answerOf(ask, (text) => exchange.finished || exchange.write(encoder.encode(text)));
    if (writer.streams) exchange.respond(200, null, withType("text/event-stream"), faults.length ?? -1);
    const job = this.#job(call, ask, writer, faults, blocksOf(prompt, this.model.settings.blockTokens));
    this.model.submit(job);
    this.#run();
    return job;
  }

  #job(
    call: EngineCall,
    ask: Ask,
    writer: AnswerWriter,
    faults: EngineFaults,
    blocks: readonly number[],
  ): Job {
    const { exchange } = call;
    const job: Job = {
      blocks,
      promptTokens: ask.promptTokens,
      outputTokens: ask.outputTokens,
      began: (cached) => (call.cachedTokens = cached),
      token: (count) => {
        const { stall, breakAfter } = faults;
        if (stall === "first" || (typeof stall === "number" && count > stall)) return this.model.cancel(job);
        if (breakAfter !== undefined && count > breakAfter) {
          this.model.cancel(job);
          return exchange.abort();
        }
        call.tokens = count;
        writer.token(count);
      },
      done: () => {
        call.ended = true;
        const whole = writer.end(call.cachedTokens);
        if (whole === null) exchange.end(null);
        else give(exchange, 200, faults.type ?? "application/json", whole);
      },
    };
    return job;
  }

  #run(): void {
    if (this.#running || this.model.idle) return;
    this.#running = true;
    const { tookMs, end } = this.model.step();
    this.#clock.after(tookMs, () => {
      this.#running = false;
      end();
      this.#run();
    });
  }
}

const withType = (type: string, more: readonly string[] = []) => ({
  ...noEdits,
  set: ["content-type", type, ...more],
});

function give(
  exchange: ServerExchange,
  status: number,
  type: string,
  text: string,
  more: readonly string[] = [],
): void {
  if (exchange.finished) return;
  const bytes = encoder.encode(text);
  exchange.respond(status, null, withType(type, more), bytes.length);
  exchange.write(bytes);
  exchange.end(null);
}

function modelList(engine: Engine, models: readonly string[]): unknown {
  if (engine === "anthropic")
    return { data: models.map((id) => ({ type: "model", id, display_name: id })), has_more: false };
  return { object: "list", data: models.map((id) => ({ id, object: "model", owned_by: engine })) };
}

/** As engines lay it out: tools first, then the system prompt, then messages. */
function promptOf(body: Record<string, unknown>): string {
  const fields = ["tools", "system", "instructions", "messages", "prompt", "input"];
  return fields.map((name) => (body[name] === undefined ? "" : JSON.stringify(body[name]))).join("");
}

function blocksOf(prompt: string, blockTokens: number): number[] {
  const length = blockTokens * tokenLength;
  const blocks: number[] = [];
  for (let at = length, hash = 0; at <= prompt.length; at += length) {
    hash = hashText(prompt.slice(at - length, at), hash);
    blocks.push(hash);
  }
  return blocks;
}
