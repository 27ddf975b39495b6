/**
 * The strategy for endpoints that answer with a language model. Those that have most of the prompt in their caches come first; among
 * them the one with the least work before it: tokens of prompts that it still has to read, or, where answers are what holds
 * it back, answers under way. It is left for another one when that is expected to begin its answer earlier by more than
 * reading the prompt anew is worth. Needs nothing of the engine: all of it this proxy sees itself.
 */
import type { Random } from "../../../runtime/contract.ts";
import { limits } from "../../model/limits.ts";
import type { WholeInference } from "../../model/inference.ts";
import type { Candidate } from "./candidate.ts";
import { isFree, type Candidates } from "./candidates.ts";
import type { Choice, EndpointStrategy } from "./endpoint_strategy.ts";
import { PowerOfTwo } from "./power_of_two.ts";

type Rules = Pick<WholeInference, "bottleneck" | "promptTokensPerSecond" | "releaseMs">;

export class ByPrompt<Endpoint extends Candidate> implements EndpointStrategy<Endpoint> {
  readonly #others: PowerOfTwo<Endpoint>;

  constructor(
    readonly rules: Rules,
    readonly random: Random,
  ) {
    this.#others = new PowerOfTwo("requests", random);
  }

  pick(candidates: Candidates<Endpoint>, choice: Choice<Endpoint>): Endpoint | null {
    const { prompt = null, tried, nowMs } = choice;
    if (prompt === null) return this.#others.pick(candidates, choice);
    candidates.refresh(nowMs);
    const { usable } = candidates;
    const rate = this.#rate(usable);
    let warm: Endpoint | null = null;
    let best: Endpoint | null = null;
    let [warmMs, bestMs, warmTokens, bestTokens] = [Infinity, Infinity, 0, 0];
    // Whoever comes first must not get all that is equal.
    const first = Math.floor(this.random.unit() * usable.length);
    for (let step = 0; step < usable.length; step++) {
      const endpoint = usable[(first + step) % usable.length] as Endpoint;
      if (!isFree(endpoint, tried)) continue;
      const hit = endpoint.load.engine.hit(prompt);
      const tokens = prompt.tokens * (1 - hit);
      const waitMs = this.#waitMs(endpoint, tokens, rate, nowMs);
      if (waitMs < bestMs) [best, bestMs, bestTokens] = [endpoint, waitMs, tokens];
      if (hit >= limits.prefixHitMin && waitMs < warmMs)
        [warm, warmMs, warmTokens] = [endpoint, waitMs, tokens];
    }
    if (best === null) return this.#others.pick(candidates, choice);
    const margin = this.#margin(bestMs, Math.max(0, bestTokens - warmTokens) / rate);
    return warm !== null && warmMs - bestMs <= margin ? warm : best;
  }

  /**
   * How much worse than the best the one may be that has the prompt in its cache. Reading a prompt anew delays all that come behind it
   * there, too: under load whoever leaves for less makes the load grow.
   */
  #margin(best: number, againMs: number): number {
    const { bottleneck, releaseMs } = this.rules;
    if (bottleneck === "decode") return limits.warmStreamsMin + limits.warmStreamsShare * best;
    return releaseMs + limits.prefixAgainWeight * againMs;
  }

  use(): void {}

  close(): void {}

  /** Until its answer would begin there, about; answers under way, with the prompts before them, where those are what holds endpoints back. */
  #waitMs({ load, weight }: Endpoint, tokens: number, rate: number, nowMs: number): number {
    const { engine } = load;
    if (this.rules.bottleneck === "decode")
      return (engine.streams + (engine.tokens + tokens) / limits.promptTokensPerStream) / weight;
    // One that has answered nothing for long has something before it that is not seen from here.
    const seenMs = Math.max(engine.tokens / (rate * weight), engine.oldestMs(nowMs));
    return seenMs + tokens / (rate * weight);
  }

  /** Tokens of prompts that an endpoint of weight 1 reads in a millisecond: one number for all, so that nobody is preferred for a lucky guess. */
  #rate(endpoints: readonly Endpoint[]): number {
    const { promptTokensPerSecond } = this.rules;
    let tokens = 0;
    let ms = 0;
    if (promptTokensPerSecond === null)
      for (const { load, weight } of endpoints) {
        tokens += load.engine.readTokens;
        ms += load.engine.readMs * weight;
      }
    return ms > 0 ? tokens / ms : (promptTokensPerSecond ?? limits.promptTokensPerSecond) / 1_000;
  }
}
