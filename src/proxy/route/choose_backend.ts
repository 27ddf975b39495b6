/** Shares of a route's backends by weight. */

interface Weighted {
  /** 0 gets nothing. */
  readonly weight: number;
}

/** One by weight; `unit` is uniform in [0, 1). null when nothing has weight. */
export function chooseBackend<Backend extends Weighted>(
  backends: readonly Backend[],
  totalWeight: number,
  unit: number,
): Backend | null {
  let left = unit * totalWeight;
  for (let at = 0; at < backends.length; at++) {
    const backend = backends[at] as Backend;
    left -= backend.weight;
    if (left < 0) return backend;
  }
  return null;
}

export function totalWeightOf(backends: readonly Weighted[]): number {
  return backends.reduce((sum, backend) => sum + backend.weight, 0);
}
