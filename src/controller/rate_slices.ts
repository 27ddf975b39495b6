/**
 * Deals out a rate that the proxies of a mesh share: to each a slice, by what it asks for. A slice grows only by what no other
 * proxy may still be using, so slices never come to more than the rate (`src/model/rate_slice.ts` says what is when a
 * proxy is away).
 */
import { limits } from "../model/limits.ts";
import type { RateSlice, SharedRate, SliceAsk } from "../model/rate_slice.ts";

interface Holder {
  wantedPerSecond: number;
  sequence: number;
  /** Slices that it may be going by: the one it told of, and those given since. */
  given: { sequence: number; perSecond: number }[];
  heardMs: number;
}

export class RateSlices {
  readonly #holders = new Map<string, Holder>();

  /** Until then everybody goes by an even share: each proxy has asked by then, and begins with that. */
  readonly #evenUntilMs: number;
  #rate: SharedRate;

  /** `listensUntilMs`: until then it hears what proxies hold from before it began, and gives nobody more. */
  constructor(
    rate: SharedRate,
    nowMs: number,
    readonly listensUntilMs: number,
  ) {
    this.#rate = rate;
    this.#evenUntilMs = nowMs + 2 * limits.rateSliceAskMs;
  }

  /** Another rate: each proxy goes by its part of the old one until it asks again, and is promised as much of the new one. */
  become(rate: SharedRate): void {
    const before = this.#rate.perSecond;
    const grown = before === 0 ? 0 : rate.perSecond / before;
    this.#rate = rate;
    for (const holder of this.#holders.values())
      holder.given = holder.given.map(({ sequence, perSecond }) => ({
        sequence,
        perSecond: perSecond * grown,
      }));
  }

  /** Answers a proxy. */
  ask(proxy: string, asked: SliceAsk, nowMs: number): RateSlice {
    const { wantedPerSecond, sequence } = asked;
    this.forget(nowMs);
    const holder = this.#holderOf(proxy, asked);
    holder.wantedPerSecond = wantedPerSecond;
    holder.heardMs = nowMs;
    holder.given = holder.given.filter((each) => each.sequence >= sequence);
    const wished = this.#wished(holder, asked, nowMs);
    const perSecond = Math.max(0, Math.min(wished, this.#freeFor(holder)));
    holder.sequence++;
    holder.given.push({ sequence: holder.sequence, perSecond });
    const evenPerSecond = this.#even(nowMs);
    return { sequence: holder.sequence, perSecond, evenPerSecond, forMs: limits.rateSliceMs };
  }

  #wished(holder: Holder, asked: SliceAsk, nowMs: number): number {
    if (nowMs < this.listensUntilMs) return this.#earlySlice(asked);
    return nowMs < this.#evenUntilMs ? this.#even(nowMs) : this.#fairSlice(holder);
  }

  #even(nowMs: number): number {
    const heard = this.#holders.size;
    const { perSecond, machines } = this.#rate;
    return perSecond / (nowMs < this.#evenUntilMs ? Math.max(heard, machines) : heard);
  }

  /** Takes back what was promised to proxies that are away for longer than that. */
  forget(nowMs: number): void {
    for (const [proxy, holder] of this.#holders) {
      const silentMs = nowMs - holder.heardMs;
      if (silentMs >= limits.rateSliceKnownMs) this.#holders.delete(proxy);
      if (silentMs < limits.rateSliceMs + limits.rateSliceGraceMs) continue;
      holder.given = [];
      holder.wantedPerSecond = 0;
    }
  }

  /** What all proxies together may use now at most. */
  get promisedPerSecond(): number {
    let sum = 0;
    for (const holder of this.#holders.values()) sum += promised(holder);
    return sum;
  }

  #holderOf(proxy: string, { sequence, heldPerSecond }: SliceAsk): Holder {
    const known = this.#holders.get(proxy);
    const holder = known ?? { wantedPerSecond: 0, sequence, given: [], heardMs: 0 };
    this.#holders.set(proxy, holder);
    // A proxy that was away, or that another controller served, holds something still; one that is new goes by its first part.
    if (holder.given.length === 0 && heldPerSecond > 0)
      holder.given.push({ sequence, perSecond: heldPerSecond });
    return holder;
  }

  /** What it holds; from the spare part when it holds nothing. */
  #earlySlice({ sequence, heldPerSecond }: SliceAsk): number {
    if (sequence > 0 || heldPerSecond > 0) return heldPerSecond;
    return (this.#rate.perSecond * limits.rateSliceSpareRatio) / this.#holders.size;
  }

  /** A part for everybody alike, so that who begins need not wait; the rest by what each wants. */
  #fairSlice(holder: Holder): number {
    let wanted = 0;
    for (const each of this.#holders.values()) wanted += each.wantedPerSecond;
    const dealt = this.#rate.perSecond * (1 - limits.rateSliceSpareRatio);
    const share = wanted === 0 ? 1 / this.#holders.size : holder.wantedPerSecond / wanted;
    const even = limits.rateSliceEvenRatio / this.#holders.size;
    return dealt * (even + (1 - limits.rateSliceEvenRatio) * share);
  }

  /** What no other proxy may be using, but for a spare part: of that, half of what is left is for one that has nothing. */
  #freeFor(holder: Holder): number {
    const own = promised(holder);
    const free = this.#rate.perSecond - (this.promisedPerSecond - own);
    const dealt = free - this.#rate.perSecond * limits.rateSliceSpareRatio;
    return Math.max(dealt, own > 0 ? Math.min(own, free) : free / 2);
  }
}

function promised({ given }: Holder): number {
  let most = 0;
  for (const { perSecond } of given) most = Math.max(most, perSecond);
  return most;
}
