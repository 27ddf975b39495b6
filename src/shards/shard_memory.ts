/** What the event loops of one proxy have in common, and where in their memory it lies: what the accept gate goes by, then the region of names. */
import { limits } from "../model/limits.ts";
import { regionBytes, SharedRegion } from "./shared_region.ts";

const size = { entries: limits.sharedNamesMax, numbers: limits.sharedNumbersMax };
/** Each begins where a line of the processor's cache does. */
const gateNumbers = 64;

/** Of that many shards, and of their keeper. */
export function shardMemoryBytes(): number {
  return 2 * gateNumbers * 8 + regionBytes(size);
}

export class ShardMemory {
  /** Connections of each shard, and its beats. */
  readonly counts: Float64Array;
  readonly beats: Float64Array;

  constructor(
    readonly bytes: ArrayBuffer,
    readonly shards: number,
  ) {
    this.counts = new Float64Array(bytes, 0, shards);
    this.beats = new Float64Array(bytes, gateNumbers * 8, shards);
  }

  /** `own`: which of the shards, or their number for the keeper. */
  region(own: number): SharedRegion {
    const whole = new Uint8Array(this.bytes);
    return new SharedRegion(whole.subarray(2 * gateNumbers * 8), size, { loops: this.shards + 1, own });
  }
}
