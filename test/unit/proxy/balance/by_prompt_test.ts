/** Which endpoint of a language model gets a prompt: what it has in its cache, what waits there, and when it is left. */
import { describe, expect, test } from "bun:test";
import { ByPrompt } from "../../../../src/proxy/balance/by_prompt.ts";
import { Candidates } from "../../../../src/proxy/balance/candidates.ts";
import type { Prompt } from "../../../../src/proxy/balance/engine_load.ts";
import { PrefixHasher } from "../../../../src/inference/prefix_chain.ts";
import { seeded } from "../../../support/chance.ts";
import { choiceOf, eject, serviceOf, type TestCandidate } from "../../../support/candidates.ts";

/** Of a text; 1,000 tokens where it has 4,000 characters. */
function promptOf(text: string): Prompt {
  const hasher = new PrefixHasher(1);
  const bytes = new TextEncoder().encode(text);
  hasher.push(bytes, 0, bytes.length);
  return { tokens: bytes.length / 4, bytes: bytes.length, prefixes: [hasher] };
}

function scene(count: number, rules: Partial<ConstructorParameters<typeof ByPrompt>[0]> = {}) {
  const { all, group } = serviceOf(count);
  const whole = { bottleneck: "prefill", promptTokensPerSecond: 10_000, releaseMs: 500, ...rules } as const;
  const strategy = new ByPrompt<TestCandidate>(whole, seeded(5));
  const candidates = new Candidates<TestCandidate>(all, group);
  const pick = (prompt: Prompt | null, nowMs = 0, tried: readonly TestCandidate[] = []): TestCandidate =>
    strategy.pick(candidates, choiceOf({ prompt, nowMs, tried })) as TestCandidate;
  return { all, pick };
}

const system = "You are a helpful assistant. ".repeat(300);

describe("a prompt", () => {
  test("goes where its beginning is in the cache, again and again", () => {
    const { pick } = scene(8);
    const first = pick(promptOf(system));
    const waiting = first.load.engine.sent(promptOf(system), 0);
    first.load.engine.began(waiting, 100);
    first.load.engine.ended(waiting);
    for (let turn = 1; turn < 50; turn++)
      expect(pick(promptOf(`${system}${"turn ".repeat(turn)}`), 200).at).toBe(first.at);
  });

  test("that nobody has in its cache goes where fewest tokens wait to be read", () => {
    const { all, pick } = scene(4);
    for (const { at, load } of all)
      if (at !== 2) load.engine.sent(promptOf(`${at}`.repeat(400 * (at + 1))), 0);
    expect(pick(promptOf("new ".repeat(1_000))).at).toBe(2);
  });

  test("counts by its tokens at once, so that a burst spreads by what it costs", () => {
    const { all, pick } = scene(4);
    const long = promptOf("x".repeat(40_000));
    pick(long).load.engine.sent(long, 0);
    for (let at = 0; at < 60; at++) {
      const short = promptOf(`${at} short ${at} `.repeat(50));
      pick(short).load.engine.sent(short, 0);
    }
    const shares = all.map(({ load }) => load.engine.streams).sort((a, b) => a - b);
    expect(shares[0]).toBe(1);
    expect((shares[3] as number) - (shares[1] as number)).toBeLessThanOrEqual(2);
  });

  test("leaves the cache that it is in once another one is expected to answer much earlier", () => {
    const { all, pick } = scene(2);
    const prompt = promptOf(system);
    const warm = pick(prompt);
    warm.load.engine.ended(warm.load.engine.sent(prompt, 0));
    // 8 s of work for the one, and 0.2 s to read the prompt at the other.
    warm.load.engine.sent(promptOf("y".repeat(320_000)), 0);
    expect(pick(prompt, 10)).toBe(all[1 - warm.at] as TestCandidate);
  });

  test("leaves one that has not answered for long, though hardly a token waits there", () => {
    const { pick } = scene(2);
    const prompt = promptOf(system);
    const warm = pick(prompt);
    const { engine } = warm.load;
    engine.ended(engine.sent(prompt, 0));
    engine.sent(prompt, 0);
    expect(pick(prompt, 400).at).toBe(warm.at);
    expect(pick(prompt, 2_000).at).not.toBe(warm.at);
  });

  test("goes to another endpoint when it is sent again, and never to one that is out", () => {
    const { all, pick } = scene(3);
    const prompt = promptOf(system);
    const warm = pick(prompt);
    warm.load.engine.ended(warm.load.engine.sent(prompt, 0));
    const second = pick(prompt, 0, [warm]);
    expect(second).not.toBe(warm);
    eject(warm, 0);
    for (let time = 0; time < 20; time++) expect(pick(prompt, 1)).not.toBe(warm);
    expect(all.length).toBe(3);
  });

  test("goes where fewest answers are under way, where those are what holds endpoints back", () => {
    const { all, pick } = scene(3, { bottleneck: "decode" });
    for (const { at, load } of all) {
      const { engine } = load;
      for (let stream = 0; stream <= 3 - at; stream++)
        engine.began(engine.sent(promptOf(`${at} ${stream}`.repeat(500 * at)), 0), 10);
    }
    expect(pick(promptOf("z".repeat(1_000)), 20).at).toBe(2);
  });
});

describe("what is known of an endpoint", () => {
  test("returns to nothing once all its prompts are answered, fail or are given up", () => {
    const [{ load }] = serviceOf(1).all as [TestCandidate];
    const { engine } = load;
    const sent = Array.from({ length: 30 }, (_, at) => engine.sent(promptOf(`${at} `.repeat(1_000)), at));
    for (const [at, waiting] of sent.entries()) {
      if (at % 3 > 0) engine.began(waiting, 100);
      if (at % 3 === 2) engine.began(waiting, 120);
      engine.ended(waiting);
    }
    expect([engine.tokens, engine.streams, engine.oldestMs(1e6)]).toEqual([0, 0, 0]);
  });

  test("is how fast it reads prompts, as its answers show; of short ones nothing is learned", () => {
    const [{ load }] = serviceOf(1).all as [TestCandidate];
    const { engine } = load;
    for (let at = 0; at < 30; at++)
      engine.began(engine.sent(promptOf(`${at}`), at * 1_000), at * 1_000 + 900);
    expect([engine.readTokens, engine.readMs]).toEqual([0, 0]);
    for (let at = 0; at < 30; at++) {
      const waiting = engine.sent(promptOf(`${at} `.repeat(4_000)), at * 1_000);
      engine.began(waiting, at * 1_000 + waiting.tokens / 25);
    }
    expect(engine.readTokens / engine.readMs).toBeCloseTo(25, 5);
  });
});
