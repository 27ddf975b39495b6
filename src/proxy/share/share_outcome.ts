/** What became of requests that waited for their turn in vain, beyond the share of their client. */
import type { Outcome } from "../../model/outcome.ts";
import type { FairGate } from "./fair_gate.ts";
import type { Flow } from "./flow.ts";

/** What says how many places there are: a limit by its name, or the field of a Traffic document where that is what counts. */
export type PlacesLimit =
  | "requestsMax"
  | "connectionsMax"
  | "sharedConnectionsMax"
  | "limits.requestsPerEndpoint"
  | "limits.connections";

export interface ShareSpent<W> {
  readonly gate: FairGate<W>;
  readonly flow: Flow;
  readonly of: PlacesLimit;
  /** The one that ended the wait. */
  readonly limit: "pendingMs" | "pendingMax";
}

/** The field of the Traffic document of the service that sets it. */
const fields: Readonly<Record<PlacesLimit, string>> = {
  requestsMax: "limits.requests",
  connectionsMax: "limits.connectionsPerEndpoint",
  sharedConnectionsMax: "limits.connectionsPerEndpoint",
  "limits.requestsPerEndpoint": "limits.requestsPerEndpoint",
  "limits.connections": "limits.connections",
};

export function fieldOf(limit: PlacesLimit): string {
  return fields[limit];
}

/** `peer` is for words: whom the requests are for. */
export function shareSpent<W>(peer: string, { gate, flow, of, limit }: ShareSpent<W>): Outcome {
  const { held } = flow.claimOn(gate);
  const things =
    of === "limits.connections" ? "connections that may be open" : "requests that may be under way";
  const share = `its client has ${held} of the ${gate.max} ${things} to ${peer} (${of}), its share`;
  const wait =
    limit === "pendingMs"
      ? `waited ${gate.pendingMs} ms for another (pendingMs)`
      : `its share of the ${gate.pendingMax} that may wait (pendingMax)`;
  const field = limit === "pendingMs" ? "limits.pendingWait" : "limits.pending";
  const raise = `${fields[of]} and ${field} of the Traffic document of the service set them`;
  // Another endpoint may have places; the service as a whole is the same wherever it is called.
  const repeat = of === "requestsMax" || of === "limits.connections" ? "no" : "yes";
  return { flag: "UO", side: "mesh", repeat, status: 503, detail: `${share}, and ${wait}; ${raise}` };
}
