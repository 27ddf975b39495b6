/** An hour of one service, sample after sample: a ring of numbers that is allocated once. */
import { limits } from "../../model/limits.ts";

/** Each has a number for each sample; NaN where there is none. */
const figures = ["rate", "success", "p50", "p95", "p99", "bytesPerSecond", "tcpOpen"] as const;
type Figure = (typeof figures)[number];
export type Sample = Readonly<Record<Figure, number>>;

const size = limits.trafficSamplesMax;

export class TrafficSeries {
  readonly #rings: Readonly<Record<Figure, Float32Array>>;
  /** Number of the newest sample in it, and of the newest that is no silence. */
  #last: number;
  #spoke: number;

  /** Before `first` it knows nothing. */
  constructor(first: number) {
    const ring = (): Float32Array => new Float32Array(size).fill(NaN);
    const [rate, success, p50, p95] = [ring(), ring(), ring(), ring()];
    this.#rings = { rate, success, p50, p95, p99: ring(), bytesPerSecond: ring(), tcpOpen: ring() };
    this.#last = first - 1;
    this.#spoke = first;
  }

  /** null: nothing was counted, all is silent. Samples come in their order; what lies between was silent too. */
  put(at: number, sample: Sample | null): void {
    for (let next = Math.max(this.#last + 1, at - size + 1); next <= at; next++) {
      for (const figure of figures) {
        const silent = figure === "rate" || figure === "bytesPerSecond" || figure === "tcpOpen" ? 0 : NaN;
        this.#rings[figure][next % size] = next === at && sample !== null ? sample[figure] : silent;
      }
    }
    this.#last = Math.max(this.#last, at);
    if (sample !== null) this.#spoke = at;
  }

  /** Whether all of it is silence. */
  isOver(at: number): boolean {
    return at - this.#spoke >= size;
  }

  /** The oldest first, as JSON has them: null for none, and no more digits than anybody sees. */
  read(figure: Figure): (number | null)[] {
    const ring = this.#rings[figure];
    return Array.from({ length: size }, (_, at) => jsonNumber(ring[(this.#last + 1 + at) % size] as number));
  }

  /** So many means, each of as many samples, the oldest first. */
  trend(points: number): number[] {
    const ring = this.#rings.rate;
    const each = Math.floor(size / points);
    return Array.from({ length: points }, (_, point) => {
      let sum = 0;
      for (let at = 0; at < each; at++) {
        const value = ring[(this.#last + 1 + point * each + at) % size] as number;
        if (value > 0) sum += value;
      }
      return jsonNumber(sum / each) ?? 0;
    });
  }
}

/** Four digits; null for what is no number. */
export function jsonNumber(value: number | null): number | null {
  return value === null || !Number.isFinite(value) ? null : Number(value.toPrecision(4));
}
