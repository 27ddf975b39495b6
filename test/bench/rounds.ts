/** Interleaved rounds: every subject has its turn in each, in another order each time, and the median over rounds counts. */

/** The middle of the values; of an even number, the lower one of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1] ?? Number.NaN;
}

/** Between the two values next to it where none stands there. */
export function quantile(values: readonly number[], which: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * which;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

/** Runs `measure` once per round for each name; the order moves on by one each round. */
export async function interleave<T>(
  names: readonly string[],
  rounds: number,
  measure: (name: string, round: number) => Promise<T>,
): Promise<Map<string, T[]>> {
  const found = new Map<string, T[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + round) % names.length] ?? "";
      found.get(name)?.push(await measure(name, round));
    }
  }
  return found;
}
