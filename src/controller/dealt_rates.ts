/**
 * Slices of shared rates where there are several controllers: the one that leads deals them out, the others hand on what their machines
 * ask. One that leads anew listens first, for as long as slices that the one before gave may be used.
 */
import { controllerPaths } from "../api/messages.ts";
import type { PeerRatesAnswer, PeerRatesRequest } from "../api/peer_messages.ts";
import { Refusal } from "../api/problem.ts";
import type { RatesAnswer } from "../api/snapshot_messages.ts";
import { limits } from "../model/limits.ts";
import type { SliceAsk } from "../model/rate_slice.ts";
import type { Peers } from "./peers.ts";
import { SharedRates, type SharedRatesOptions } from "./shared_rates.ts";

export interface DealtRatesOptions extends SharedRatesOptions {
  readonly peers: Pick<Peers, "leadsSince" | "leader" | "clientOf">;
}

export class DealtRates {
  own: SharedRates;

  constructor(readonly options: DealtRatesOptions) {
    this.own = new SharedRates(options);
  }

  /** This controller leads from now on. */
  begin(): void {
    this.own = new SharedRates(this.options);
  }

  async ask(node: string, asks: Readonly<Record<string, SliceAsk>>): Promise<RatesAnswer["slices"]> {
    const { peers } = this.options;
    if (peers.leadsSince !== null) return this.own.ask(node, asks);
    const { leader } = peers;
    const client = leader === null ? null : peers.clientOf(leader.name);
    if (leader === null || client === null)
      throw new Refusal(503, "No controller that deals out shared rates is reached");
    const request: PeerRatesRequest = { since: leader.since, node, asks };
    const answer = await client.call("POST", controllerPaths.peerRates, request, limits.rateSliceMs);
    return (answer.body as PeerRatesAnswer).slices;
  }
}
