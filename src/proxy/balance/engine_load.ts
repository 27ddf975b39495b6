/**
 * What one proxy knows of an endpoint that answers with a language model: prompts that wait there for the beginning of their answers,
 * beginnings of prompts that it has in its cache, and how fast it reads the rest. Outlives snapshots as `EndpointLoad` does.
 */
import { PrefixIndex } from "../../inference/prefix_index.ts";
import type { PrefixPart } from "../../inference/prefix_chain.ts";
import { limits } from "../../model/limits.ts";

/** What a request says of its prompt. */
export interface Prompt {
  /** About; of all of it. */
  readonly tokens: number;
  /** Of what was looked at. */
  readonly bytes: number;
  readonly prefixes: readonly PrefixPart[];
  /** It does nothing but answer: who asks again does no harm. */
  readonly repeatable?: boolean;
}

/** A prompt at an endpoint, from when it is sent until its answer begins. */
export interface WaitingPrompt {
  readonly sentMs: number;
  /** Those that were not in the cache, as far as is known. */
  readonly tokens: number;
  /** Tokens that waited there before it, and its own. */
  readonly aheadTokens: number;
}

/** Weight of a new measurement beside those before. */
const rateShare = 0.1;

export class EngineLoad {
  /** Of prompts that wait, without those in its cache. */
  tokens = 0;
  /** Answers under way, those that wait included. */
  streams = 0;
  readonly prefixes = new PrefixIndex(limits.prefixBytesMax);
  /** In the order in which they were sent. */
  readonly #waiting = new Set<WaitingPrompt>();
  /** Of prompts that were answered, tokens and milliseconds, newer ones more than older ones: long prompts say more than short ones. */
  readTokens = 0;
  readMs = 0;

  /** Of the prompt, what it has in its cache, from 0 to 1. */
  hit(prompt: Prompt): number {
    return prompt.bytes === 0 ? 0 : this.prefixes.match(prompt.prefixes) / prompt.bytes;
  }

  /** How long the one that waits longest has waited; 0 where none does. */
  oldestMs(nowMs: number): number {
    for (const { sentMs } of this.#waiting) return nowMs - sentMs;
    return 0;
  }

  sent(prompt: Prompt, nowMs: number): WaitingPrompt {
    const tokens = prompt.tokens * (1 - this.hit(prompt));
    const waiting = { sentMs: nowMs, tokens, aheadTokens: this.tokens + tokens };
    this.prefixes.add(prompt.prefixes);
    this.tokens += tokens;
    this.streams++;
    this.#waiting.add(waiting);
    return waiting;
  }

  /** Its answer began to have content. */
  began(waiting: WaitingPrompt, nowMs: number): void {
    if (!this.#letGo(waiting) || waiting.aheadTokens < limits.promptRateTokensMin) return;
    this.readTokens += rateShare * (waiting.aheadTokens - this.readTokens);
    this.readMs += rateShare * (Math.max(1, nowMs - waiting.sentMs) - this.readMs);
  }

  /** Its answer is over, or none comes. */
  ended(waiting: WaitingPrompt): void {
    this.#letGo(waiting);
    this.streams--;
  }

  #letGo(waiting: WaitingPrompt): boolean {
    if (!this.#waiting.delete(waiting)) return false;
    // What is left of many sums of fractions is nothing.
    this.tokens = this.#waiting.size === 0 ? 0 : this.tokens - waiting.tokens;
    return true;
  }
}
