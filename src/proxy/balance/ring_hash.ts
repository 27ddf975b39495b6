/**
 * A hash ring (ketama): each endpoint stands at many points of a circle, and a key belongs to the next point after it. When an
 * endpoint leaves, its keys move and no others. Points are found by an index over their leading bits, so a pick costs the
 * same whatever their number.
 */
import { hashText } from "../../base/hash.ts";
import { limits } from "../../model/limits.ts";
import { lookedAtOnce, type KeyTable, type Placed } from "./key_table.ts";

class Ring implements KeyTable {
  constructor(
    /** Point and owner, in turn: what is read together stands together. */
    readonly points: Uint32Array,
    /** For each value of the leading bits where the first point that is not before it stands. */
    readonly starts: Uint32Array,
    readonly shift: number,
  ) {}

  indexAt(key: number, step: number): number {
    const { points } = this;
    let at = this.starts[key >>> this.shift] as number;
    while (at < points.length && (points[at] as number) < key) at += 2;
    return points[((at + step * 2) % points.length) + 1] as number;
  }
}

export function* ringTable(endpoints: readonly Placed[]): Generator<void, KeyTable> {
  const counts = pointCounts(endpoints);
  const total = counts.reduce((sum, count) => sum + count, 0);
  // About two points for each value of the leading bits.
  const bits = Math.max(1, Math.ceil(Math.log2(total / 2)));
  const shift = 32 - bits;
  const hashes = new Uint32Array(total);
  const owners = new Uint32Array(total);
  /** First how many points each value has, then where its next one goes. */
  const free = new Uint32Array(2 ** bits);
  let made = 0;
  for (let owner = 0; owner < endpoints.length; owner++) {
    const { id } = endpoints[owner] as Placed;
    for (let point = 0; point < (counts[owner] as number); point++) {
      const hash = hashText(`${id}_${point}`);
      hashes[made] = hash;
      owners[made] = owner;
      free[hash >>> shift] = (free[hash >>> shift] as number) + 1;
      if (++made % lookedAtOnce === 0) yield;
    }
  }
  const starts = new Uint32Array(free.length);
  for (let lead = 0, at = 0; lead < free.length; lead++) {
    const count = free[lead] as number;
    starts[lead] = free[lead] = at;
    at += count * 2;
  }
  yield;
  const points = new Uint32Array(total * 2);
  for (let at = 0; at < total; at++) {
    const lead = (hashes[at] as number) >>> shift;
    const end = free[lead] as number;
    insert(points, starts[lead] as number, end, hashes[at] as number, owners[at] as number);
    free[lead] = end + 2;
    if (at % (lookedAtOnce * 4) === 0) yield;
  }
  return new Ring(points, starts, shift);
}

function pointCounts(endpoints: readonly Placed[]): Uint32Array {
  const weights = endpoints.reduce((sum, { weight }) => sum + weight, 0);
  const wanted = Math.min(limits.ringPointsMax, limits.ringPointsPerEndpoint * endpoints.length);
  return Uint32Array.from(endpoints, ({ weight }) => Math.max(1, Math.round((wanted * weight) / weights)));
}

/** Keeps what stands from `start` to `end` in order, of points and, where they are the same, of owners. */
function insert(points: Uint32Array, start: number, end: number, point: number, owner: number): void {
  let at = end;
  for (; at > start; at -= 2) {
    const before = points[at - 2] as number;
    if (before < point || (before === point && (points[at - 1] as number) <= owner)) break;
    points[at] = before;
    points[at + 1] = points[at - 1] as number;
  }
  points[at] = point;
  points[at + 1] = owner;
}
