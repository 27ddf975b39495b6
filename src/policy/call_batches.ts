/**
 * Calls on their way to a sealed process and back: those of one turn and one policy travel together, some wait until their policy
 * is loaded, and each is answered exactly once, by the policy that it was asked of or with the reason why not.
 */
import { limits } from "../model/limits.ts";
import type { Clock } from "../../runtime/contract.ts";
import { AnswersReader } from "./answers.ts";
import { burdenOf } from "./burden.ts";
import { countCpu, type LoadedPolicy } from "./loaded_policy.ts";
import type { Answer } from "./policy_call.ts";

/** A call of a policy that fails closed, made before the policy was ready. */
interface Waiting {
  readonly policy: LoadedPolicy;
  readonly text: string;
  readonly answer: Answer;
  readonly untilMs: number;
}

interface Batch {
  readonly policy: LoadedPolicy;
  readonly answers: readonly Answer[];
  readonly sentMs: number;
  /** What the clock of the policy says. */
  readonly atMs: number;
  answered: number;
}

export interface CallBatchesOptions {
  readonly clock: Clock;
  /** Everything that may have calls. */
  readonly policies: () => Iterable<LoadedPolicy>;
  /** Sends a batch; `owesSinceMs` is set when nothing was under way before. */
  readonly send: (policy: LoadedPolicy, number: number, text: string, owesSinceMs: number | null) => void;
  /** All batches of a turn were sent. */
  readonly flushed: () => void;
  /** An answer of the policy was no JSON, or is too much of it. */
  readonly unreadable: (policy: LoadedPolicy, reason: string) => void;
}

/** By far the most frequent answer. */
const next = '{"do":"next"}';
const nextDecision: unknown = Object.freeze({ do: "next" });

export class CallBatches {
  /** Calls that were taken and not answered. */
  inFlight = 0;
  readonly #options: CallBatchesOptions;
  readonly #batches = new Map<number, Batch>();
  readonly #reader = new AnswersReader();
  #waiting: Waiting[] = [];
  #waitingLength = 0;
  #flushing = false;
  #nextNumber = 0;

  constructor(options: CallBatchesOptions) {
    this.#options = options;
  }

  /** Whether the host owes answers. */
  get owed(): boolean {
    return this.#batches.size > 0;
  }

  /** Whether a call waits for its policy to be loaded. */
  get anyWaits(): boolean {
    return this.#waiting.length > 0;
  }

  /** Whether this share of what may be under way is. */
  isFull(share: number): boolean {
    return (
      this.inFlight >= limits.policyInboxMax * share ||
      this.#waitingLength > limits.policyBacklogBytesMax * share
    );
  }

  /** Leaves with the other calls of this turn. */
  add(policy: LoadedPolicy, text: string, answer: Answer): void {
    this.inFlight++;
    policy.texts.push(text);
    policy.answers.push(answer);
    policy.textLength += text.length;
    if (
      policy.texts.length >= limits.policyBatchCallsMax ||
      policy.textLength > limits.policyMessageBytesMax
    ) {
      this.#send(policy);
    }
    if (this.#flushing) return;
    this.#flushing = true;
    this.#options.clock.soon(() => {
      this.#flushing = false;
      this.flush();
    });
  }

  /** Waits until its policy is loaded, for a moment. */
  hold(policy: LoadedPolicy, text: string, answer: Answer): void {
    this.inFlight++;
    const untilMs = this.#options.clock.now() + limits.policyReadyMs;
    this.#waiting.push({ policy, text, answer, untilMs });
    this.#waitingLength += text.length;
  }

  /** The policy is loaded: those that wait for it leave. */
  release(policy: LoadedPolicy): void {
    for (const { text, answer } of this.#takeWaiting((each) => each.policy === policy))
      this.add(policy, text, answer);
  }

  flush(): void {
    for (const policy of this.#options.policies()) if (policy.texts.length > 0) this.#send(policy);
    this.#options.flushed();
  }

  #send(policy: LoadedPolicy): void {
    const { clock, send } = this.#options;
    const { answers, texts } = policy;
    policy.answers = [];
    policy.texts = [];
    policy.textLength = 0;
    const number = this.#nextNumber;
    this.#nextNumber = (number + 1) >>> 0;
    const sentMs = clock.now();
    const first = this.#batches.size === 0;
    const atMs = clock.wallMs();
    this.#batches.set(number, { policy, answers, sentMs, atMs, answered: 0 });
    const text = `${answers.length} [${atMs},[${texts.join(",")}]]`;
    send(policy, number, text, first ? sentMs : null);
  }

  /**
   * Takes a part of the answers to a batch, or the `last` one. Null, or how that breaks the protocol: nothing of it was taken
   * then.
   */
  take(policy: LoadedPolicy, number: number, text: string, last: boolean): string | null {
    const batch = this.#batches.get(number);
    if (batch === undefined || batch.policy !== policy) return "it answers a batch that it was not asked";
    const reader = this.#reader;
    const problem = reader.read(text);
    if (problem !== null) return `it answers so that nobody can read it: ${problem}`;
    const { count, first } = reader;
    const end = first + count;
    const whole = batch.answers.length;
    if (first !== batch.answered) return `it answers call ${first} where ${batch.answered} comes next`;
    if (last ? end !== whole : end > whole || count === 0) {
      return `it answers ${end} calls of the ${whole} that it was asked`;
    }
    countCpu(policy, reader.cpuUs, this.#options.clock.now());
    // Whoever is answered may have all others failed.
    for (let left = count; left > 0 && batch.answered < whole; left--) this.#answer(batch, reader);
    if (last) this.#batches.delete(number);
    return null;
  }

  #answer(batch: Batch, reader: AnswersReader): void {
    const { us } = reader;
    const text = reader.next();
    const { atMs } = batch;
    const answer = batch.answers[batch.answered++];
    this.inFlight--;
    if (text === next) return answer?.({ ok: true, decision: nextDecision, us }, atMs);
    const burden = burdenOf(text);
    const decision = burden === null ? parsed(text) : undefined;
    if (decision !== undefined) return answer?.({ ok: true, decision, us }, atMs);
    const reason = `its answer ${burden ?? "is no JSON"}`;
    answer?.({ ok: false, reason, us });
    this.#options.unreadable(batch.policy, reason);
  }

  /** Fails what is left of a batch; false: it was not asked of this policy. */
  failOf(policy: LoadedPolicy, number: number, reason: string): boolean {
    if (this.#batches.get(number)?.policy !== policy) return false;
    this.#failBatch(number, reason);
    return true;
  }

  #failBatch(number: number, reason: string): void {
    const batch = this.#batches.get(number);
    if (batch === undefined) return;
    this.#batches.delete(number);
    const left = batch.answers.slice(batch.answered);
    batch.answered = batch.answers.length;
    this.#fail(left, reason);
  }

  /** Everything that was sent, or was about to be. */
  failSent(policy: LoadedPolicy, reason: string): void {
    for (const [number, batch] of this.#batches) if (batch.policy === policy) this.#failBatch(number, reason);
    const { answers } = policy;
    policy.answers = [];
    policy.texts = [];
    policy.textLength = 0;
    this.#fail(answers, reason);
  }

  /** Everything that waits for this policy gets the reason. */
  failAll(policy: LoadedPolicy, reason: string): void {
    this.failSent(policy, reason);
    for (const { answer } of this.#takeWaiting((each) => each.policy === policy))
      answer({ ok: false, reason, us: 0 });
  }

  /** Those that waited for their policy long enough. */
  expire(nowMs: number): void {
    const reason = `it was not ready within ${limits.policyReadyMs} ms`;
    for (const { answer } of this.#takeWaiting((each) => each.untilMs <= nowMs))
      answer({ ok: false, reason, us: 0 });
  }

  /** Policies that were in a call for long; when none was, those that were in one at all. */
  running(nowMs: number): ReadonlySet<LoadedPolicy> {
    const all = [...this.#batches.values()];
    const long = all.filter((batch) => nowMs - batch.sentMs > limits.policyWatchdogMs);
    return new Set((long.length > 0 ? long : all).map((batch) => batch.policy));
  }

  #fail(answers: readonly Answer[], reason: string): void {
    this.inFlight -= answers.length;
    for (const answer of answers) answer({ ok: false, reason, us: 0 });
  }

  #takeWaiting(which: (each: Waiting) => boolean): Waiting[] {
    const taken = this.#waiting.filter(which);
    if (taken.length === 0) return taken;
    this.#waiting = this.#waiting.filter((each) => !which(each));
    this.inFlight -= taken.length;
    for (const { text } of taken) this.#waitingLength -= text.length;
    return taken;
  }
}

/** Undefined, which no JSON is, when it is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
