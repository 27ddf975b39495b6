/**
 * An outbound exchange that may ask a language model, for `outbound.ts`: its prompt is read before a route is chosen, and its answer
 * is followed. For all others nothing of this happens.
 */
import type { ResponseHead } from "../http/exchange.ts";
import { apiShapeOf } from "../inference/api_shape.ts";
import { softStop } from "../inference/soft_stop.ts";
import type { AnswerReader } from "../inference/answer_reader.ts";
import { limits } from "../model/limits.ts";
import { wholeInference, type InferenceTraits } from "../model/inference.ts";
import { unencoded } from "./policy/exchange_policies.ts";
import type { Attempts } from "./attempt/attempts.ts";
import { CallBudget } from "./budget/call_budget.ts";
import { overBudget, uncounted } from "./budget/over_budget.ts";
import { FilteredCall } from "./filtered_call.ts";
import { outcomes } from "./failure/outcomes.ts";
import type { Outcome } from "../model/outcome.ts";
import { PromptTimers, type PromptTimersOwner, type PromptWait } from "./prompt/prompt_timers.ts";
import { promptAnswer, type PromptAnswer } from "./prompt/prompt_answer.ts";
import { promptReader, type PromptReader } from "./prompt/prompt_reader.ts";
import type { Prompt } from "./balance/engine_load.ts";
import type { LiveDestination, Target } from "./state/live_service.ts";

const noUsage = { input: null, output: null, cached: null, cacheCreation: null, reasoning: null };

/** Comments are nothing to who reads events; a client sees that the stream lives. */
const heartbeat = new TextEncoder().encode(": heddle\n\n");

export abstract class PromptedCall extends FilteredCall implements PromptTimersOwner {
  #timers: PromptTimers | null = null;
  #reader: PromptReader | null = null;
  #answer: PromptAnswer | null = null;
  #budget: CallBudget | null = null;
  /** It was answered, though not so that anybody could read what that cost. */
  #isUnread = false;
  /** Its answer is to end. */
  #stops: Outcome | null = null;

  /** Ends the answer with that text, and the call. */
  protected abstract stopAnswer(last: string, outcome: Outcome): void;

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
      const uncounted = this.#uncounted(inference);
      if (uncounted === null) goOn();
      else this.refuse(uncounted);
    });
    if (this.#reader === null) {
      if (inference.budgets === undefined || !this.#mayCost()) return false;
      this.refuse(uncounted(this.record.service));
      return true;
    }
    this.exchange.leavesByClosing();
    // What is compressed nobody can count.
    this.leaving.change(unencoded);
    this.body.gather(this.#reader);
    return true;
  }

  /** It asks for tokens, though nobody can read how many. */
  #mayCost(): boolean {
    const { method, contentLength } = this.exchange.request;
    return contentLength !== 0 && apiShapeOf(method, this.leaving.path) !== null;
  }

  /** Why nobody could say what it costs, or whose budget that is; null: it can be said. */
  #uncounted({ budgets }: InferenceTraits): Outcome | null {
    const { shape, scan } = this.#reader as PromptReader;
    if (budgets === undefined || shape.operation === "count_tokens") return null;
    const perModel = budgets.some(({ per }) => per.includes("model"));
    // A second model may stand in what is not held.
    const named = !perModel || (scan.over && scan.model !== null);
    return scan.broken || scan.twice || !named ? uncounted(this.record.service) : null;
  }

  /** Holds what it may cost, where its service has budgets: once its policies have said who asks, before anybody gets it. */
  protected spends(attempts: Pick<Attempts, "prompt" | "first">, target: Target): void {
    const { shard, budgets: spent } = this.source.parts;
    const goOn = (): void => attempts.first(target, shard.clock.now());
    attempts.prompt = this.prompt;
    const { budgets } = (this.called as LiveDestination).declared.inference ?? {};
    const { shape, scan } = this.#reader as PromptReader;
    if (budgets === undefined || shape.operation === "count_tokens") return goOn();
    const service = this.record.service;
    const call = {
      service,
      caller: this.record.sourceId,
      model: scan.model ?? "",
      header: (name: string) => this.leaving.text(name),
      inputTokens: attempts.prompt?.tokens ?? 0,
      outputTokensMax: shape.generates ? scan.outputTokensMax : 0,
    };
    let waits = false;
    this.#budget = new CallBudget(spent, budgets, call);
    this.#budget.hold((refusal) => {
      if (this.finished) return;
      if (waits) shard.enter();
      if (refusal === null) goOn();
      else this.refuse(overBudget(service, refusal));
      if (waits) shard.leave();
    });
    waits = true;
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
      passed: (reader) => this.#passed(reader),
    });
    this.answer.watch = this.#answer;
    this.#isUnread = this.#answer === null;
    if (this.#answer?.reader.form === "events") this.#timers?.streams(clock.now());
  }

  silent(wait: PromptWait, ms: number): boolean {
    const setting = wait === "first" ? "firstContent" : "nextContent";
    return this.gaveUpOn(outcomes.noContent(this.record.service, ms, this.answer.begun, setting));
  }

  beat(): void {
    if (this.#answer?.reader.atBoundary === true) this.answer.insert(heartbeat);
  }

  /** More of its stream was passed on: what it may spend grows with it, or it ends between two events. */
  #passed(reader: AnswerReader): void {
    const refusal = this.#budget?.came(reader.outputTokens) ?? null;
    if (refusal !== null) this.#stops = overBudget(this.record.service, refusal);
    this.#stop(reader);
  }

  #stop(reader: AnswerReader): void {
    const { finished } = this;
    // Policies that look at its head come first.
    if (this.#stops === null || finished || this.answer.waits) return;
    if (reader.complete || !reader.atBoundary) return;
    const { shape } = this.#reader as PromptReader;
    const atSeconds = Math.floor(this.source.parts.shard.clock.wallMs() / 1_000);
    const last = softStop(shape, { model: reader.model, atSeconds });
    if (last !== null) this.stopAnswer(last, this.#stops);
  }

  /** Nothing of it is to come. */
  protected override closeFilters(): void {
    super.closeFilters();
    this.#timers?.close();
    this.#answer?.settle();
    const { inference } = this.record;
    if (this.#isUnread) this.#budget?.settleUnread();
    this.#budget?.settle(
      this.#answer === null ? null : (inference?.usage ?? null),
      inference?.outputTokens ?? 0,
    );
  }
}
