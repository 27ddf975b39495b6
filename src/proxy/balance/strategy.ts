/**
 * How balancing chooses one of many. A strategy sees the endpoints that are left and the request, and keeps what it must remember
 * between picks to itself. Another one is a file beside this one and a line in `strategies.ts`; one suite of tests runs over all.
 */
import type { Random } from "../../../runtime/contract.ts";
import type { EndpointLoad } from "./endpoint_load.ts";

export interface Candidate {
  readonly load: EndpointLoad;
}

/** A request as balancing sees it. */
export interface PickFor<Endpoint> {
  /** Requests with the same key belong to the same endpoint where a strategy can do that; null: it belongs to none. */
  readonly key: string | null;
  /** Where the caller is; "" when that is not known. */
  readonly zone: string;
  /** Endpoints at which it was tried in vain. */
  readonly tried: readonly Endpoint[];
  /** Of the shard's clock, milliseconds. */
  readonly nowMs: number;
}

export interface Strategy {
  /** One of `candidates`, of which there are two at least, and none that was tried. */
  pick<Endpoint extends Candidate>(candidates: readonly Endpoint[], request: PickFor<Endpoint>): Endpoint;
}

/** Makes one for a set of endpoints that has `count` of them. */
export type MakeStrategy = (random: Random, count: number) => Strategy;
