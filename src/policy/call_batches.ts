/**
 * Calls on their way to the policy host and back: those of one turn and one policy travel together, some wait until their policy
 * is loaded, and each is answered exactly once, by the host or with the reason why not.
 */
import { limits } from "../model/limits.ts";
import type { Clock } from "../../runtime/contract.ts";
import type { LoadedPolicy } from "./loaded_policy.ts";
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
  answered: number;
}

export interface CallBatchesOptions {
  readonly clock: Clock;
  /** Everything that may have calls. */
  readonly policies: () => Iterable<LoadedPolicy>;
  readonly number: () => number;
  /** Sends a batch; `owesSinceMs` is set when nothing was under way before. */
  readonly send: (policy: LoadedPolicy, number: number, text: string, owesSinceMs: number | null) => void;
  /** All batches of a turn were sent. */
  readonly flushed: () => void;
}

export class CallBatches {
  /** Calls that were taken and not answered. */
  inFlight = 0;
  readonly #options: CallBatchesOptions;
  readonly #batches = new Map<number, Batch>();
  #waiting: Waiting[] = [];
  #flushing = false;

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

  get full(): boolean {
    return this.inFlight >= limits.policyInboxMax;
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
    const { clock, number, send } = this.#options;
    const { answers, texts } = policy;
    policy.answers = [];
    policy.texts = [];
    policy.textLength = 0;
    const own = number();
    const sentMs = clock.now();
    const first = this.#batches.size === 0;
    this.#batches.set(own, { policy, answers, sentMs, answered: 0 });
    send(policy, own, `[${clock.wallMs()},[${texts.join(",")}]]`, first ? sentMs : null);
  }

  policyOf(number: number): LoadedPolicy | null {
    return this.#batches.get(number)?.policy ?? null;
  }

  /** Some calls of a batch were answered, in order. */
  answer(number: number, us: readonly number[], answers: readonly unknown[]): void {
    const batch = this.#batches.get(number);
    if (batch === undefined) return;
    for (let index = 0; index < us.length && batch.answered < batch.answers.length; index++) {
      const decision = answers[index];
      const answer = batch.answers[batch.answered++];
      this.inFlight--;
      answer?.({ ok: true, decision, us: us[index] ?? 0 });
    }
  }

  /** There will be no more answers to a batch. False: there were too few, and the rest has failed for that reason. */
  close(number: number, reason: string): boolean {
    const batch = this.#batches.get(number);
    if (batch === undefined) return true;
    const whole = batch.answered === batch.answers.length;
    if (whole) this.#batches.delete(number);
    else this.failBatch(number, reason);
    return whole;
  }

  failBatch(number: number, reason: string): void {
    const batch = this.#batches.get(number);
    if (batch === undefined) return;
    this.#batches.delete(number);
    this.#fail(batch.answers.slice(batch.answered), reason);
  }

  failBatchesOf(policy: LoadedPolicy, reason: string): void {
    for (const [number, batch] of this.#batches) if (batch.policy === policy) this.failBatch(number, reason);
  }

  /** Everything that waits for this policy gets the reason. */
  failAll(policy: LoadedPolicy, reason: string): void {
    this.failBatchesOf(policy, reason);
    const { answers } = policy;
    policy.answers = [];
    policy.texts = [];
    policy.textLength = 0;
    this.#fail(answers, reason);
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
    return taken;
  }
}
