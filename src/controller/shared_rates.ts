/** The rates that the proxies of the mesh share, by service: asked by each proxy, dealt out as the documents stand now. */
import type { Clock } from "../../runtime/contract.ts";
import type { RateSlice, SliceAsk } from "../model/rate_slice.ts";
import { RateSlices } from "./rate_slices.ts";

export interface SharedRatesOptions {
  readonly clock: Clock;
  /** Requests a second of a service, by its key; null where its documents share none. */
  readonly rateOf: (service: string) => number | null;
}

export class SharedRates {
  readonly #slices = new Map<string, RateSlices>();

  constructor(readonly options: SharedRatesOptions) {}

  /** Answers a machine, by service; without those that share no rate. */
  ask(node: string, asks: Readonly<Record<string, SliceAsk>>): Record<string, RateSlice> {
    const nowMs = this.options.clock.now();
    const answers = Object.entries(asks).flatMap(([service, asked]) => {
      const slices = this.#slicesOf(service, nowMs);
      return slices === null ? [] : [[service, slices.ask(node, asked, nowMs)] as const];
    });
    return Object.fromEntries(answers);
  }

  #slicesOf(service: string, nowMs: number): RateSlices | null {
    const perSecond = this.options.rateOf(service);
    const known = this.#slices.get(service);
    if (known?.perSecond === perSecond) return known ?? null;
    this.#slices.delete(service);
    if (perSecond === null) return null;
    // Another rate begins anew: it hears first what proxies hold.
    const begun = new RateSlices(perSecond, nowMs);
    this.#slices.set(service, begun);
    return begun;
  }
}
