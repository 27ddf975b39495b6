/** A fleet of engines in simulated time, which several callers' proxies ask without a router between them. */
import type { Random } from "../../../runtime/contract.ts";
import type { Bottleneck } from "../../../src/model/inference.ts";
import { EngineModel, type EngineSettings } from "../../support/inference/engine_model.ts";
import { Schedule, type Actor } from "../schedule.ts";
import type { Chooser, Contestant } from "./choosers.ts";
import { blockTokens, type Ask } from "./traffic.ts";

export interface FleetResult {
  /** Milliseconds from each ask to the first token of its answer, and to its end, sorted. */
  readonly firstMs: readonly number[];
  readonly wholeMs: readonly number[];
  /** Of the tokens of prompts, those that came from caches. */
  readonly cachedShare: number;
  /** Tokens that engines had to read: of the busiest, over the mean. */
  readonly skew: number;
  /** For each ask, in order: which engine. */
  readonly chosen: readonly number[];
}

export interface FleetOptions {
  readonly asks: readonly Ask[];
  readonly contestant: Contestant;
  readonly engines: number;
  readonly callers: number;
  readonly bottleneck: Bottleneck;
  readonly random: Random;
  readonly settings?: Partial<EngineSettings>;
  /** Times of what was asked before then do not count: caches were empty. */
  readonly fromMs?: number;
}

class RunningEngine implements Actor {
  #busy = false;
  #end: () => void = () => {};

  constructor(
    readonly model: EngineModel,
    readonly schedule: Schedule,
  ) {}

  wake(): void {
    if (this.#busy || this.model.idle) return;
    this.#busy = true;
    const { tookMs, end } = this.model.step();
    this.#end = end;
    this.schedule.after(tookMs, this);
  }

  happen(): void {
    this.#busy = false;
    this.#end();
    this.wake();
  }
}

export function runFleet(options: FleetOptions): FleetResult {
  const { asks, contestant, callers, bottleneck, random, settings } = options;
  const schedule = new Schedule();
  const engines = Array.from({ length: options.engines }, () => {
    const model = new EngineModel({ blockTokens, blocks: 1_000, ...settings });
    return new RunningEngine(model, schedule);
  });
  const models = engines.map(({ model }) => model);
  const choosers = Array.from({ length: callers }, () =>
    contestant.make({ engines: models, random, bottleneck }),
  );
  const [firstMs, wholeMs, chosen]: [number[], number[], number[]] = [[], [], []];
  const arrive = (ask: Ask): void => {
    const chooser = choosers[ask.caller] as Chooser;
    const at = chooser.pick(ask, schedule.nowMs);
    chosen.push(at);
    const engine = engines[at] as RunningEngine;
    const counts = ask.atMs >= (options.fromMs ?? 0);
    engine.model.submit({
      ...ask,
      token: (count) => {
        if (count > 1) return;
        if (counts) firstMs.push(schedule.nowMs - ask.atMs);
        chooser.began(ask, schedule.nowMs);
      },
      done: () => {
        if (counts) wholeMs.push(schedule.nowMs - ask.atMs);
        chooser.ended(ask);
      },
    });
    engine.wake();
  };
  for (const ask of asks) schedule.at(ask.atMs, { happen: () => arrive(ask) });
  schedule.runUntil(3_600_000);
  const read = models.map(({ readTokens }) => readTokens);
  const cached = models.reduce((sum, { cachedTokens }) => sum + cachedTokens, 0);
  const all = read.reduce((sum, each) => sum + each, 0);
  const sorted = (times: readonly number[]) => times.toSorted((a, b) => a - b);
  return {
    firstMs: sorted(firstMs),
    wholeMs: sorted(wholeMs),
    cachedShare: cached / (cached + all),
    skew: (Math.max(...read) * read.length) / all,
    chosen,
  };
}

export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Infinity;
}
