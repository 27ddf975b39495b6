/** Picks an endpoint of a destination: in turn, or the less loaded of two chosen at random. Ready ones only. */
import type { Random } from "../../../runtime/contract.ts";
import type { Balance } from "../../model/document.ts";
import type { EndpointState } from "./endpoint_state.ts";

const furtherPicksMax = 5;

/** The ready endpoints of a destination or of one subset. */
export class Balancer {
  #next = 0;

  constructor(
    readonly balance: Balance,
    readonly endpoints: readonly EndpointState[],
    readonly random: Random,
  ) {}

  /** null when there is none. Endpoints that were tried are avoided while there is another. */
  pick(tried: readonly EndpointState[], nowMs: number): EndpointState | null {
    const { endpoints } = this;
    const count = endpoints.length;
    if (count === 0) return null;
    if (count === 1) return endpoints[0] as EndpointState;
    let chosen = this.#pickOne(count, nowMs);
    for (let further = 0; tried.includes(chosen) && further < furtherPicksMax; further++)
      chosen = this.#pickOne(count, nowMs);
    if (!tried.includes(chosen)) return chosen;
    return endpoints.find((each) => !tried.includes(each)) ?? chosen;
  }

  #pickOne(count: number, nowMs: number): EndpointState {
    if (this.balance === "round-robin") {
      this.#next = (this.#next + 1) % count;
      return this.endpoints[this.#next] as EndpointState;
    }
    const first = Math.floor(this.random.unit() * count);
    let second = Math.floor(this.random.unit() * (count - 1));
    if (second >= first) second++;
    const a = this.endpoints[first] as EndpointState;
    const b = this.endpoints[second] as EndpointState;
    return b.load(nowMs) < a.load(nowMs) ? b : a;
  }
}
