/** The parts of rates that the mesh shares which the services of this machine go by: what to ask for, and what was given. */
import type { RateSlice, SliceAsk } from "../../model/rate_slice.ts";
import type { LeasedRate } from "./leased_rate.ts";

/** Of one service; `mesh` null: it shares none. */
interface Sharing {
  readonly key: string;
  readonly limits: { readonly mesh: LeasedRate | null } | null;
}

export class LocalRates {
  /** `services`: those of this machine now. */
  constructor(
    private readonly services: () => Iterable<Sharing>,
    private readonly nowMs: () => number,
  ) {}

  /** What to ask the controller for, by service. */
  asks(): Record<string, SliceAsk> {
    const asks: [string, SliceAsk][] = [];
    for (const { key, limits } of this.services())
      if (limits !== null && limits.mesh !== null) asks.push([key, limits.mesh.ask(this.nowMs())]);
    return Object.fromEntries(asks);
  }

  /** The controller's answer to what was asked at `askedMs`. */
  given(slices: Readonly<Record<string, RateSlice>>, askedMs: number): void {
    for (const { key, limits } of this.services()) {
      const slice = slices[key];
      if (slice !== undefined) limits?.mesh?.given(slice, askedMs, this.nowMs());
    }
  }
}
