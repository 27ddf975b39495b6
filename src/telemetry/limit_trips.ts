/** What limits of `model/limits.ts` did, by the name of the limit and the listener: one family for every mode. */
import type { Metrics } from "./metrics.ts";
import { families } from "./families.ts";

export function limitTrips(metrics: Metrics): (limit: string, listener: string) => void {
  const trips = metrics.counter(families.limitTrips);
  return (limit, listener) => trips(limit, listener).add(1);
}
