/** The rates that the proxies of the mesh share, by service: asked by each proxy, dealt out as the documents stand now. */
import type { Clock } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import type { RateSlice, SharedRate, SliceAsk } from "../model/rate_slice.ts";
import { sharedCounterRate } from "../model/shared_counter.ts";
import { RateSlices } from "./rate_slices.ts";

export interface SharedRatesOptions {
  readonly clock: Clock;
  /** Of a service, by its key; null where its documents share none. */
  readonly rateOf: (service: string) => SharedRate | null;
}

export class SharedRates {
  readonly #slices = new Map<string, RateSlices>();
  readonly #counters = new Map<string, RateSlices>();

  /** Until then proxies may hold slices that another controller gave, or this one before it started again. */
  readonly #listensUntilMs: number;

  constructor(readonly options: SharedRatesOptions) {
    this.#listensUntilMs = options.clock.now() + limits.rateSliceMs + limits.rateSliceGraceMs;
  }

  /** Answers a machine, by service; without those that share no rate. */
  ask(node: string, asks: Readonly<Record<string, SliceAsk>>): Record<string, RateSlice> {
    const nowMs = this.options.clock.now();
    const answers = Object.entries(asks).flatMap(([service, asked]) => {
      const slices = this.#slicesOf(service, nowMs);
      return slices === null ? [] : [[service, slices.ask(node, asked, nowMs)] as const];
    });
    return Object.fromEntries(answers);
  }

  /** Counters of policies are made as they are asked for, and forgotten again. */
  #counterOf(name: string, perSecond: number, nowMs: number): RateSlices {
    const known = this.#counters.get(name);
    const slices = known ?? new RateSlices({ perSecond, machines: 1 }, nowMs, this.#listensUntilMs);
    this.#counters.delete(name);
    this.#counters.set(name, slices);
    const [oldest] = this.#counters.keys();
    if (this.#counters.size > limits.policySharedCountersMax && oldest !== undefined)
      this.#counters.delete(oldest);
    return slices;
  }

  #slicesOf(service: string, nowMs: number): RateSlices | null {
    const counted = sharedCounterRate(service);
    if (counted !== null) return this.#counterOf(service, counted, nowMs);
    const rate = this.options.rateOf(service);
    if (rate === null) {
      this.#slices.delete(service);
      return null;
    }
    const slices = this.#slices.get(service) ?? new RateSlices(rate, nowMs, this.#listensUntilMs);
    this.#slices.set(service, slices);
    slices.become(rate);
    return slices;
  }
}
