/** The strategies that a document can name. */
import type { Balance } from "../../model/service_traits.ts";
import { LessLoaded } from "./less_loaded.ts";
import { RoundRobin } from "./round_robin.ts";
import type { MakeStrategy } from "./strategy.ts";

export const strategies: Readonly<Record<Balance, MakeStrategy>> = {
  "round-robin": (random, count) => new RoundRobin(random, count),
  ewma: (random) => new LessLoaded(random),
};
