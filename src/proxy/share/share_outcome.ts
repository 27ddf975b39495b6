/** What became of requests that waited for their turn in vain, beyond the share of their client. */
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { FairGate } from "./fair_gate.ts";
import type { Flow } from "./flow.ts";

export interface ShareSpent<W> {
  readonly gate: FairGate<W>;
  readonly flow: Flow;
  /** The limit that says how many places there are, and the one that ended the wait. */
  readonly of: "requestsMax" | "connectionsMax" | "sharedConnectionsMax";
  readonly limit: "pendingMs" | "pendingMax";
}

/** `peer` is for words: whom the requests are for. */
export function shareSpent<W>(peer: string, { gate, flow, of, limit }: ShareSpent<W>): Outcome {
  const { taken } = flow.claimOn(gate);
  const share = `its client has ${taken} of the ${gate.max} requests that may be under way to ${peer} (${of})`;
  const wait =
    limit === "pendingMs"
      ? `waited ${limits.pendingMs} ms for another (pendingMs)`
      : `its share of the ${limits.pendingMax} that may wait (pendingMax)`;
  // Another endpoint may have places; the service as a whole is the same wherever it is called.
  const repeat = of === "requestsMax" ? "no" : "yes";
  return { flag: "UO", side: "mesh", repeat, status: 503, detail: `${share}, its share, and ${wait}` };
}
