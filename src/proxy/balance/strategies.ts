/** The strategies that a document can name. Another one is a file beside this one and a line here; one suite of tests runs over all. */
import type { Random } from "../../../runtime/contract.ts";
import type { InPieces } from "../../base/pieces.ts";
import { wholeInference, type InferenceTraits } from "../../model/inference.ts";
import type { Destination } from "../../model/snapshot.ts";
import type { Balance } from "../../model/service_traits.ts";
import { wholeGroup, type Balancing, type TrafficTraits } from "../../model/traffic.ts";
import { ByKey } from "./by_key.ts";
import { ByPrompt } from "./by_prompt.ts";
import type { Candidate } from "./candidate.ts";
import type { EndpointStrategy } from "./endpoint_strategy.ts";
import { maglevTable } from "./maglev.ts";
import { PowerOfTwo } from "./power_of_two.ts";
import { RandomPick } from "./random_pick.ts";
import { ringTable } from "./ring_hash.ts";
import { WeightedRoundRobin } from "./weighted_round_robin.ts";

/** What is in force; `balance`: of the service, from a controller that knows of no other way to say it. */
export function balancingOf(balance: Balance, traffic: TrafficTraits | undefined): Required<Balancing> {
  const whole = wholeGroup("balance", traffic);
  const said = traffic?.balance?.strategy !== undefined;
  return said || balance === "ewma" ? whole : { ...whole, strategy: balance };
}

/** What endpoints are balanced by that answer with a language model; undefined: they do not, or a document names a strategy. */
export function promptBalancing({
  balance,
  traffic,
  inference,
}: Pick<Destination, "balance" | "traffic" | "inference">): InferenceTraits | undefined {
  return balance === "ewma" && traffic?.balance?.strategy === undefined ? inference : undefined;
}

export interface StrategyParts<Endpoint extends Candidate> {
  readonly random: Random;
  /** They answer with a language model, and no document names a strategy. Absent: they do not. */
  readonly inference?: InferenceTraits | undefined;
  /** Where tables are laid out. */
  readonly inPieces?: InPieces;
  /** The one until now, for endpoints that may be the same. */
  readonly previous?: EndpointStrategy<Endpoint> | null;
}

/** One that remembers what it must between picks, for the endpoints of one zone. */
export function strategyOf<Endpoint extends Candidate>(
  { strategy, boundedLoadPercent }: Pick<Required<Balancing>, "strategy" | "boundedLoadPercent">,
  { random, inference, inPieces, previous = null }: StrategyParts<Endpoint>,
): EndpointStrategy<Endpoint> {
  if (inference !== undefined) return new ByPrompt(wholeInference(inference), random);
  const byKey = (layOut: typeof maglevTable): ByKey<Endpoint> => {
    const boundedLoad = boundedLoadPercent === 0 ? null : boundedLoadPercent / 100;
    const options = { layOut, boundedLoad, ...(inPieces === undefined ? {} : { inPieces }) };
    return new ByKey(options, random, previous);
  };
  switch (strategy) {
    case "peak-ewma":
      return new PowerOfTwo("ewma", random);
    case "least-request":
      return new PowerOfTwo("requests", random);
    case "round-robin":
      return new WeightedRoundRobin(random);
    case "random":
      return new RandomPick(random);
    case "maglev":
      return byKey(maglevTable);
    case "ring-hash":
      return byKey(ringTable);
  }
}
