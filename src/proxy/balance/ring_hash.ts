/**
 * A hash ring (ketama): each endpoint stands at many points of a circle, and a key belongs to the next point after it. When an
 * endpoint leaves, its keys move and no others. Points are found by an index over their leading bits, so a pick costs the
 * same whatever their number.
 */
import { hashText } from "../../base/hash.ts";
import { limits } from "../../model/limits.ts";
import type { Candidate } from "./candidate.ts";
import { ByKey } from "./by_key.ts";

/** Point and owner in one number that sorts as the point does: 32 and 16 bits. */
const ownerSpan = 2 ** 16;

export class RingHash<Endpoint extends Candidate> extends ByKey<Endpoint> {
  /** Point and owner, in turn: what is read together stands together. */
  #points = new Uint32Array(0);
  /** For each value of the leading bits where the first point that is not before it stands. */
  #starts = new Uint32Array(1);
  #shift = 31;

  protected build(endpoints: readonly Endpoint[]): void {
    const weights = endpoints.reduce((sum, { weight }) => sum + weight, 0);
    const wanted = Math.min(limits.ringPointsMax, limits.ringPointsPerEndpoint * endpoints.length);
    const counts = endpoints.map(({ weight }) => Math.max(1, Math.round((wanted * weight) / weights)));
    const sorted = new Float64Array(counts.reduce((sum, count) => sum + count, 0));
    let filled = 0;
    endpoints.forEach(({ id }, owner) => {
      for (let point = 0; point < (counts[owner] as number); point++)
        sorted[filled++] = hashText(`${id}_${point}`) * ownerSpan + owner;
    });
    sorted.sort();
    this.#points = new Uint32Array(sorted.length * 2);
    sorted.forEach((packed, at) => {
      this.#points[at * 2] = Math.floor(packed / ownerSpan);
      this.#points[at * 2 + 1] = packed % ownerSpan;
    });
    this.#index();
  }

  protected indexAt(key: number, step: number): number {
    const points = this.#points;
    let at = this.#starts[key >>> this.#shift] as number;
    while (at < points.length && (points[at] as number) < key) at += 2;
    return points[((at + step * 2) % points.length) + 1] as number;
  }

  #index(): void {
    const points = this.#points;
    // About two points for each value.
    const bits = Math.max(1, Math.ceil(Math.log2(points.length / 4)));
    this.#shift = 32 - bits;
    this.#starts = new Uint32Array(2 ** bits);
    let at = 0;
    for (let lead = 0; lead < this.#starts.length; lead++) {
      while (at < points.length && (points[at] as number) >>> this.#shift < lead) at += 2;
      this.#starts[lead] = at;
    }
  }
}
