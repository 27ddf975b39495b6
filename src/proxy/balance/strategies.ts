/** The strategies that a document can name. Another one is a file beside this one and a line here; one suite of tests runs over all. */
import type { Random } from "../../../runtime/contract.ts";
import type { Balance } from "../../model/service_traits.ts";
import type { Candidate } from "./candidate.ts";
import type { EndpointStrategy } from "./endpoint_strategy.ts";
import { PowerOfTwo } from "./power_of_two.ts";
import { WeightedRoundRobin } from "./weighted_round_robin.ts";

/** One that remembers what it must between picks, for the endpoints of one zone. */
export function strategyOf<Endpoint extends Candidate>(
  balance: Balance,
  random: Random,
): EndpointStrategy<Endpoint> {
  switch (balance) {
    case "ewma":
      return new PowerOfTwo("ewma", random);
    case "round-robin":
      return new WeightedRoundRobin(random);
  }
}
