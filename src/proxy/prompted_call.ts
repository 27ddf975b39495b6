/**
 * An outbound exchange that may ask a language model, for `outbound.ts`: its prompt is read before a route is chosen, and its answer
 * is followed. For all others nothing of this happens.
 */
import type { ResponseHead } from "../http/exchange.ts";
import { apiShapeOf } from "../inference/api_shape.ts";
import { softStop } from "../inference/soft_stop.ts";
import type { AnswerReader } from "../inference/answer_reader.ts";
import { limits } from "../model/limits.ts";
import type { FieldEdits } from "../wire/fields.ts";
import { wholeInference, type InferenceTraits } from "../model/inference.ts";
import { unencoded } from "./policy/exchange_policies.ts";
import type { Attempts } from "./attempt/attempts.ts";
import { CallBudget } from "./budget/call_budget.ts";
import { overBudget, uncounted } from "./budget/over_budget.ts";
import { refusalOf } from "./guard/receive.ts";
import { FilteredCall } from "./filtered_call.ts";
import { outcomes } from "./failure/outcomes.ts";
import type { Outcome } from "../model/outcome.ts";
import { modelField } from "./fields/heddle_fields.ts";
import { askedModel, BodyRest, modelOutcomes, renaming } from "./prompt/asked_model.ts";
import { isModelList, modelListAnswer } from "./prompt/model_list.ts";
import { listModels } from "./listed_models.ts";
import { PromptTimers, type PromptTimersOwner, type PromptWait } from "./prompt/prompt_timers.ts";
import { promptAnswer, type PromptAnswer } from "./prompt/prompt_answer.ts";
import { promptReader, type PromptReader } from "./prompt/prompt_reader.ts";
import type { Prompt } from "./balance/engine_load.ts";
import {
  wholeRoute,
  type LiveBackend,
  type LiveDestination,
  type LiveRoute,
  type Target,
} from "./state/live_service.ts";

const noUsage = { input: null, output: null, cached: null, cacheCreation: null, reasoning: null };

/** Comments are nothing to who reads events; a client sees that the stream lives. */
const heartbeat = new TextEncoder().encode(": heddle\n\n");

/** Who gets a call that was not answered, the next one first, and how it was before anybody was chosen. */
interface Fallbacks {
  readonly left: readonly LiveBackend[];
  readonly leaving: FieldEdits;
  readonly answer: FieldEdits;
  readonly model: string | null;
}

export abstract class PromptedCall extends FilteredCall implements PromptTimersOwner {
  #timers: PromptTimers | null = null;
  #reader: PromptReader | null = null;
  /** That its routes go by; null: none that is known. */
  protected model: string | null = null;
  #fallbacks: Fallbacks | null = null;
  /** That is asked for instead. */
  #renamed: string | null = null;
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
  /** What came of its request shows that nobody may get all of it. */
  protected abstract breakOff(outcome: Outcome): void;
  /** It took too long. True: another attempt was begun. */
  protected abstract gaveUpOn(outcome: Outcome): boolean;

  /** Whether something else comes first, or all there is: that its prompt is read, or that it is answered with a list of models. */
  protected takesPrompt(called: LiveDestination, goOn: () => void): boolean {
    return this.#listsModels(called) || this.#readsPrompt(called, goOn);
  }

  /** null: none is for it. */
  protected routeIn(called: LiveDestination): LiveRoute | null {
    const { record, model } = this;
    const { target } = this.leaving;
    const { request } = this.exchange;
    const isAsItCame = target === null && model === null;
    const { method, authority, fields } = request;
    const asked = isAsItCame
      ? request
      : { ...{ method, authority, fields, model }, target: (target ?? request).target, path: record.path };
    const found = called.routes.find(asked, record.sourceId);
    // The list of its own instances, which no model leads to.
    return found ?? (this.source.ofPolicies && this.#isList(called) ? wholeRoute(called) : null);
  }

  #isList({ declared, routes }: LiveDestination): boolean {
    const { method } = this.exchange.request;
    return declared.inference !== undefined && routes.readsModels && isModelList(method, this.leaving.path);
  }

  #listsModels(called: LiveDestination): boolean {
    const { source, record } = this;
    if (source.ofPolicies || !this.#isList(called)) return false;
    const { request } = this.exchange;
    const { parts, who } = source;
    const { modelLists } = parts;
    if (modelLists.taken >= limits.modelListsMax) {
      this.limitTripped("modelListsMax");
      this.refuse(modelOutcomes.tooManyLists());
      return true;
    }
    modelLists.taken++;
    const ask = parts.calls(who.service, record.requestId);
    let waits = false;
    listModels({ called, request, path: this.leaving.path, callerId: record.sourceId, ask }, (models) => {
      modelLists.taken--;
      if (this.finished) return;
      if (waits) parts.shard.enter();
      if (models.length === 0) this.refuse(modelOutcomes.noneListed(called.key));
      else this.over(this.answer.say(modelListAnswer(models, request.fields)));
      if (waits) parts.shard.leave();
    });
    waits = true;
    return true;
  }

  /** Whether its prompt is to be read first: then `goOn` follows once it is, unless the call ends before. */
  #readsPrompt({ declared, routes }: LiveDestination, goOn: () => void): boolean {
    const { inference } = declared;
    if (inference === undefined) return false;
    const { request } = this.exchange;
    const room = routes.readsModels ? this.body.buffered.models : null;
    this.#reader = promptReader(request, this.leaving.path, room, () => {
      if (this.finished) return;
      this.#note(inference);
      if (this.#reader?.scan.stream === true)
        this.#timers = new PromptTimers(this.source.parts.shard, wholeInference(inference), this);
      const refusal = this.#uncounted(inference) ?? (routes.readsModels ? this.#readModel() : null);
      if (refusal === null) goOn();
      else this.refuse(refusal);
    });
    if (this.#reader === null) return this.#isUnreadable(inference, routes.readsModels);
    this.exchange.leavesByClosing();
    // What is compressed nobody can count.
    this.leaving.change(unencoded);
    this.body.gather(this.#reader, this.#reader.most);
    return true;
  }

  /** Whether it was refused because it cannot be read. */
  #isUnreadable({ budgets }: InferenceTraits, readsModels: boolean): boolean {
    const { request } = this.exchange;
    // Of a body that nobody reads nobody knows whether it says the same.
    if (readsModels && request.contentLength === 0) this.model = request.fields.get(modelField);
    if ((budgets === undefined && !readsModels) || !this.#mayCost()) return false;
    const { service } = this.record;
    this.refuse(budgets === undefined ? modelOutcomes.unreadable(service) : uncounted(service));
    return true;
  }

  /** Notes what it asks for. Returns why routes cannot go by that; null: they can. */
  #readModel(): Outcome | null {
    const { scan } = this.#reader as PromptReader;
    const field = this.exchange.request.fields.get(modelField);
    const found = askedModel({ scan, ended: this.body.isOver, field });
    if (found === "unheld") return this.#unheld();
    if (found === "ambiguous") return modelOutcomes.ambiguous(this.record.service);
    this.model = found.model;
    return null;
  }

  /** Its model did not come within what is held of it. */
  #unheld(): Outcome {
    const isLong = (this.#reader as PromptReader).scan.bytes >= limits.modelHeldBytesMax;
    this.limitTripped(isLong ? "modelHeldBytesMax" : "modelsHeldBytesMax");
    return modelOutcomes[isLong ? "tooLate" : "crowded"](this.record.service);
  }

  protected override change(filters: Parameters<FilteredCall["change"]>[0]): void {
    super.change(filters);
    if (filters.model !== undefined) this.#renamed = filters.model;
  }

  /** Who gets it if whoever is chosen next does not answer it. Before the one that is chosen changes anything. */
  protected noteFallbacks({ backends }: LiveRoute): void {
    const fallbacks = backends.filter((each) => each.fallback === true);
    if (fallbacks.length === 0) return;
    const { leaving, answer } = this;
    this.#fallbacks = {
      left: fallbacks,
      leaving: leaving.changes,
      answer: answer.edits,
      model: this.#renamed,
    };
  }

  /** Nobody else may get it. */
  protected endFallbacks(): void {
    this.#fallbacks = null;
  }

  /** `repeatable`: that it comes twice does no harm. */
  protected hasFallback({ side, status, repeat }: Outcome, repeatable: boolean): boolean {
    const { exchange, body, answer } = this;
    if (this.#fallbacks === null || exchange.finished || answer.begun || !body.replayable) return false;
    const isTheirs = side === "upstream" || side === "mesh" || status === 429;
    return (
      isTheirs && (repeat === "yes" || repeatable) && this.#fallbacks.left.some(({ target }) => target.ok)
    );
  }

  /** Leads it to the next of them, as it was before anybody was chosen. After `hasFallback`. */
  protected nextFallback(attempts: Pick<Attempts, "prompt" | "first">): void {
    const fallbacks = this.#fallbacks as Fallbacks;
    const at = fallbacks.left.findIndex(({ target }) => target.ok);
    const { target, filters } = fallbacks.left[at] as LiveBackend;
    this.#fallbacks = { ...fallbacks, left: fallbacks.left.slice(at + 1) };
    this.leaving.changes = fallbacks.leaving;
    this.answer.edits = fallbacks.answer;
    this.#renamed = fallbacks.model;
    if (filters !== null) this.change(filters);
    if (!target.ok) return this.refuse(outcomes.badBackend("", ""));
    const { destination } = target.value;
    const refusal =
      refusalOf(destination, this.called as LiveDestination, this.exchange, this.leaving) ??
      (this.#reader === null ? null : this.#rename());
    if (refusal !== null) return this.refuse(refusal);
    attempts.prompt = this.prompt;
    attempts.first(target.value, this.source.parts.shard.clock.now());
  }

  /** A policy wrote its body anew. */
  protected override obey(...[verdict, reach]: Parameters<FilteredCall["obey"]>): void {
    super.obey(verdict, reach);
    if (verdict.json !== undefined) this.#reader?.readAnew(new TextEncoder().encode(verdict.json));
  }

  /** It goes on under the name that its route and its backend give its model. Returns why it cannot. */
  #rename(): Outcome | null {
    const name = this.#renamed;
    const { scan } = this.#reader as PromptReader;
    this.body.edit = name === null || name === scan.model ? null : renaming(scan, name);
    const { edit } = this.body;
    if (edit === null) return name === null || scan.over || scan.model !== null ? null : this.#unheld();
    this.leaving.lengthen(edit.bytes.length - (edit.end - edit.start));
    return null;
  }

  /** What of it is not held is read on its way. */
  #followRest(): void {
    const { scan } = this.#reader as PromptReader;
    if ((this.called as LiveDestination).routes.readsModels && !scan.over)
      this.body.addTap(
        new BodyRest(scan, this.model, (says) => {
          if (!this.finished) this.breakOff(modelOutcomes[says](this.record.service));
        }),
      );
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
    const refusal = this.#rename();
    if (refusal !== null) return this.refuse(refusal);
    this.#followRest();
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
    this.#reader?.release();
    this.#answer?.settle();
    const { inference } = this.record;
    if (this.#isUnread) this.#budget?.settleUnread();
    this.#budget?.settle(
      this.#answer === null ? null : (inference?.usage ?? null),
      inference?.outputTokens ?? 0,
    );
  }
}
