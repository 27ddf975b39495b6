/**
 * An outbound exchange that may ask a language model, for `outbound.ts`: its prompt is read before a route is chosen, and its answer
 * is followed. For all others nothing of this happens.
 */
import type { ResponseHead } from "../http/exchange.ts";
import { limits } from "../model/limits.ts";
import { wholeInference, type InferenceTraits } from "../model/inference.ts";
import { unencoded } from "./policy/exchange_policies.ts";
import { FilteredCall } from "./filtered_call.ts";
import { outcomes } from "./failure/outcomes.ts";
import type { Outcome } from "../model/outcome.ts";
import { PromptTimers, type PromptTimersOwner, type PromptWait } from "./prompt/prompt_timers.ts";
import { promptAnswer, type PromptAnswer } from "./prompt/prompt_answer.ts";
import { promptReader, type PromptReader } from "./prompt/prompt_reader.ts";
import type { Prompt } from "./balance/engine_load.ts";
import type { LiveDestination } from "./state/live_service.ts";

const noUsage = { input: null, output: null, cached: null, cacheCreation: null, reasoning: null };

/** Comments are nothing to who reads events; a client sees that the stream lives. */
const heartbeat = new TextEncoder().encode(": heddle\n\n");

export abstract class PromptedCall extends FilteredCall implements PromptTimersOwner {
  #timers: PromptTimers | null = null;
  #reader: PromptReader | null = null;
  #answer: PromptAnswer | null = null;

  /** The first content of the answer came. */
  protected abstract contentBegan(nowMs: number): void;
  /** It took too long. True: another attempt was begun. */
  protected abstract gaveUpOn(outcome: Outcome): boolean;

  /** Whether its prompt is to be read first: then `goOn` follows once it is, unless the call ends before. */
  protected readsPrompt({ declared }: LiveDestination, goOn: () => void): boolean {
    const { inference } = declared;
    if (inference === undefined) return false;
    const { request } = this.exchange;
    this.#reader = promptReader(request, this.leaving.path, () => {
      if (this.finished) return;
      this.#note(inference);
      if (this.#reader?.scan.stream === true)
        this.#timers = new PromptTimers(this.source.parts.shard, wholeInference(inference), this);
      goOn();
    });
    if (this.#reader === null) return false;
    this.exchange.leavesByClosing();
    // What is compressed nobody can count.
    this.leaving.change(unencoded);
    this.body.gather(this.#reader);
    return true;
  }

  /** null: it has none that is known. */
  protected get prompt(): Prompt | null {
    return this.#reader?.prompt(limits.promptBytesPerToken) ?? null;
  }

  #note({ engine }: InferenceTraits): void {
    const { shape, scan } = this.#reader as PromptReader;
    this.record.inference = {
      operation: shape.operation,
      provider: engine,
      requestModel: scan.model ?? "",
      responseModel: "",
      stream: false,
      usage: noUsage,
      outputTokens: 0,
      firstContentMs: 0,
      lastContentMs: 0,
      finishReason: "",
    };
  }

  /** The answer that counts began. */
  protected followAnswer(head: ResponseHead): void {
    const record = this.record.inference;
    if (this.#reader === null || record === null || head.status >= 300) return;
    const { clock } = this.source.parts.shard;
    this.#answer = promptAnswer(head, {
      shape: this.#reader.shape,
      record,
      nowMs: () => clock.now(),
      came: (nowMs) => this.#timers?.wrote(nowMs),
      moved: (nowMs, first) => {
        this.#timers?.moved(nowMs);
        if (first) this.contentBegan(nowMs);
      },
      outside: this.exchange.connection.outside === true,
    });
    this.answer.watch = this.#answer;
    if (this.#answer?.reader.form === "events") this.#timers?.streams(clock.now());
  }

  silent(wait: PromptWait, ms: number): boolean {
    const setting = wait === "first" ? "firstContent" : "nextContent";
    return this.gaveUpOn(outcomes.noContent(this.record.service, ms, this.answer.begun, setting));
  }

  beat(): void {
    if (this.#answer?.reader.atBoundary === true) this.answer.insert(heartbeat);
  }

  /** Nothing of it is to come. */
  protected override closeFilters(): void {
    super.closeFilters();
    this.#timers?.close();
    this.#answer?.settle();
  }
}
