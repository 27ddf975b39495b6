/** Picks an endpoint: in turn, or the less loaded of two chosen at random. It holds ready endpoints only. */
import type { Random } from "../../../runtime/contract.ts";
import type { Balance } from "../../model/service_traits.ts";
import type { EndpointLoad } from "./endpoint_load.ts";

const furtherPicksMax = 5;

export interface Candidate {
  readonly load: EndpointLoad;
}

/** The ready endpoints of a destination or of one of its subsets. */
export class Balancer<Endpoint extends Candidate> {
  #next: number;

  constructor(
    readonly balance: Balance,
    readonly endpoints: readonly Endpoint[],
    readonly random: Random,
  ) {
    this.#next = Math.floor(random.unit() * endpoints.length);
  }

  /** null when there is none. Endpoints that were tried are avoided while there is another. */
  pick(tried: readonly Endpoint[], nowMs: number): Endpoint | null {
    const { endpoints } = this;
    const count = endpoints.length;
    if (count <= 1) return endpoints[0] ?? null;
    let chosen = this.#pickOne(count, nowMs);
    if (tried.length === 0) return chosen;
    for (let further = 0; tried.includes(chosen) && further < furtherPicksMax; further++)
      chosen = this.#pickOne(count, nowMs);
    if (!tried.includes(chosen)) return chosen;
    return endpoints.find((each) => !tried.includes(each)) ?? chosen;
  }

  #pickOne(count: number, nowMs: number): Endpoint {
    const { endpoints } = this;
    if (this.balance === "round-robin") {
      this.#next = (this.#next + 1) % count;
      return endpoints[this.#next] as Endpoint;
    }
    const first = Math.floor(this.random.unit() * count);
    let second = Math.floor(this.random.unit() * (count - 1));
    if (second >= first) second++;
    const a = endpoints[first] as Endpoint;
    const b = endpoints[second] as Endpoint;
    return b.load.at(nowMs) < a.load.at(nowMs) ? b : a;
  }
}
