/** Slices of what the mesh shares: rates of services, and counters of policies beside them. */
import type { SharedCounters } from "../policy/shared_counters.ts";
import type { RateLeasesOptions } from "./rate_leases.ts";

export function withShared(
  rates: RateLeasesOptions["rates"],
  counters: Pick<SharedCounters, "asks" | "given">,
): RateLeasesOptions["rates"] {
  return {
    asks: () => ({ ...counters.asks(), ...rates.asks() }),
    given(slices, askedMs) {
      rates.given(slices, askedMs);
      counters.given(slices, askedMs);
    },
  };
}
