/** What event loops of one machine share, all of them in this process. */
import { regionBytes, SharedRegion } from "../../src/shards/shared_region.ts";

export function loopsOn(count: number, size = { entries: 256, numbers: 16_384 }): readonly SharedRegion[] {
  const memory = new ArrayBuffer(regionBytes(size));
  return Array.from({ length: count }, (_, own) => new SharedRegion(memory, size, { loops: count, own }));
}
