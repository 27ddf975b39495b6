/** Who chooses the engine of a prompt in the simulated fleet: heddle's own code, and what others do. Each caller's proxy has one of its own. */
import type { Random } from "../../../runtime/contract.ts";
import { hashNumber } from "../../../src/base/hash.ts";
import { ByPrompt } from "../../../src/proxy/balance/by_prompt.ts";
import { Candidates } from "../../../src/proxy/balance/candidates.ts";
import type { Prompt, WaitingPrompt } from "../../../src/proxy/balance/engine_load.ts";
import type { Bottleneck } from "../../../src/model/inference.ts";
import { limits } from "../../../src/model/limits.ts";
import type { EngineModel } from "../../support/inference/engine_model.ts";
import { choiceOf, serviceOf, type TestCandidate } from "../../support/candidates.ts";
import { blockTokens, type Ask } from "./traffic.ts";

export interface Chooser {
  pick(ask: Ask, nowMs: number): number;
  began(ask: Ask, nowMs: number): void;
  ended(ask: Ask): void;
}

export interface ChooserInput {
  readonly engines: readonly EngineModel[];
  readonly random: Random;
  readonly bottleneck: Bottleneck;
}

export interface Contestant {
  readonly name: string;
  readonly make: (input: ChooserInput) => Chooser;
}

function promptOf({ blocks, promptTokens }: Ask): Prompt {
  const bytes = promptTokens * limits.promptBytesPerToken;
  const length = blockTokens * limits.promptBytesPerToken;
  const ends = blocks.map((_, at) => (at + 1) * length);
  return { tokens: promptTokens, bytes, prefixes: [{ hashes: blocks, ends }] };
}

/** The proxy's own strategy and loads. */
class Heddle implements Chooser {
  readonly #candidates: Candidates<TestCandidate>;
  readonly #strategy: ByPrompt<TestCandidate>;
  readonly #under = new Map<Ask, { readonly at: TestCandidate; readonly waiting: WaitingPrompt }>();

  constructor({ engines, random, bottleneck }: ChooserInput) {
    const { all, group } = serviceOf(engines.length);
    this.#candidates = new Candidates(all, group);
    const rules = { bottleneck, promptTokensPerSecond: null, releaseMs: limits.prefixReleaseMs };
    this.#strategy = new ByPrompt(rules, random);
  }

  pick(ask: Ask, nowMs: number): number {
    const prompt = promptOf(ask);
    const at = this.#strategy.pick(this.#candidates, choiceOf({ prompt, nowMs })) as TestCandidate;
    this.#under.set(ask, { at, waiting: at.load.engine.sent(prompt, nowMs) });
    at.load.started();
    return at.at;
  }

  began(ask: Ask, nowMs: number): void {
    const found = this.#under.get(ask);
    found?.at.load.engine.began(found.waiting, nowMs);
  }

  ended(ask: Ask): void {
    const found = this.#under.get(ask);
    found?.at.load.engine.ended(found.waiting);
    found?.at.load.ended();
    this.#under.delete(ask);
  }
}

/** One that counts something for each engine, and takes the least. */
abstract class Counting implements Chooser {
  protected readonly counts: number[];
  readonly #at = new Map<Ask, readonly [engine: number, count: number]>();

  constructor(protected readonly input: ChooserInput) {
    this.counts = input.engines.map(() => 0);
  }

  protected abstract choose(ask: Ask): readonly [engine: number, count: number];
  protected abstract readonly untilBegan: boolean;

  pick(ask: Ask): number {
    const chosen = this.choose(ask);
    this.#at.set(ask, chosen);
    this.counts[chosen[0]] = (this.counts[chosen[0]] as number) + chosen[1];
    return chosen[0];
  }

  began(ask: Ask): void {
    if (this.untilBegan) this.#release(ask);
  }

  ended(ask: Ask): void {
    this.#release(ask);
  }

  #release(ask: Ask): void {
    const chosen = this.#at.get(ask);
    if (chosen !== undefined) this.counts[chosen[0]] = (this.counts[chosen[0]] as number) - chosen[1];
    this.#at.delete(ask);
  }

  protected least(score: (engine: number) => number, of = this.counts.map((_, at) => at)): number {
    const scores = of.map((engine) => ({ engine, score: score(engine) + this.input.random.unit() * 1e-6 }));
    return scores.reduce((best, each) => (each.score < best.score ? each : best)).engine;
  }
}

class RoundRobin extends Counting {
  protected readonly untilBegan = false;
  #next = Math.floor(this.input.random.unit() * this.counts.length);
  protected choose(): readonly [number, number] {
    return [this.#next++ % this.counts.length, 1];
  }
}

class LeastRequest extends Counting {
  protected readonly untilBegan = false;
  protected choose(): readonly [number, number] {
    return [this.least((engine) => this.counts[engine] as number), 1];
  }
}

class SessionAffinity extends Counting {
  protected readonly untilBegan = false;
  protected choose({ session }: Ask): readonly [number, number] {
    return [hashNumber(session, 9) % this.counts.length, 1];
  }
}

/** llm-d's default of 2026-08: filter by hit, least uncached tokens in flight, released at 18 s of 15,928 tokens a second. */
class LlmD extends Counting {
  protected readonly untilBegan = true;
  readonly #known: readonly Set<number>[] = this.counts.map(() => new Set<number>());

  protected choose({ blocks, promptTokens }: Ask): readonly [number, number] {
    const hits = this.#known.map((known) => {
      let at = 0;
      while (at < blocks.length && known.has(blocks[at] as number)) at++;
      return (at * blockTokens) / promptTokens;
    });
    const score = (engine: number): number =>
      (this.counts[engine] as number) + promptTokens * (1 - (hits[engine] as number));
    const warm = hits.flatMap((hit, at) => (hit >= 0.8 ? [at] : []));
    const best = this.least(score);
    const kept = warm.length > 0 ? this.least(score, warm) : best;
    const engine = score(kept) - score(best) > 18 * 15_928 ? best : kept;
    for (const block of blocks) this.#known[engine]?.add(block);
    return [engine, promptTokens * (1 - (hits[engine] as number))];
  }
}

export const contestants: readonly Contestant[] = [
  { name: "heddle", make: (input) => new Heddle(input) },
  { name: "llm-d rule in each proxy", make: (input) => new LlmD(input) },
  { name: "session affinity", make: (input) => new SessionAffinity(input) },
  { name: "least request", make: (input) => new LeastRequest(input) },
  { name: "round robin", make: (input) => new RoundRobin(input) },
];
