/** The ready endpoints of a destination or of one of its subsets, and the strategy that picks among them. */
import type { Random } from "../../../runtime/contract.ts";
import type { Balance } from "../../model/service_traits.ts";
import { strategies } from "./strategies.ts";
import type { Candidate, PickFor, Strategy } from "./strategy.ts";

export class Balancer<Endpoint extends Candidate> {
  readonly #strategy: Strategy;

  constructor(
    balance: Balance,
    readonly endpoints: readonly Endpoint[],
    random: Random,
  ) {
    this.#strategy = strategies[balance](random, endpoints.length);
  }

  /** null when there is none. What was tried is avoided while there is another; when all were, they begin anew. */
  pick(request: PickFor<Endpoint>): Endpoint | null {
    const { endpoints } = this;
    const { tried } = request;
    if (endpoints.length <= 1) return endpoints[0] ?? null;
    if (tried.length === 0) return this.#strategy.pick(endpoints, request);
    const left = endpoints.filter((each) => !tried.includes(each));
    if (left.length === 1) return left[0] as Endpoint;
    return this.#strategy.pick(left.length === 0 ? endpoints : left, request);
  }
}
