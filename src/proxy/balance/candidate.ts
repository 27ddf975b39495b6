/** An endpoint as balancing sees it, and how large a share it may have now. */
import type { EndpointLoad } from "./endpoint_load.ts";

/** What circuit breaking knows of an endpoint. */
export interface EndpointHealth {
  /** No request but a probe goes there. */
  readonly ejected: boolean;
  /** Since when it is not; -Infinity when it never was. */
  readonly closedSinceMs: number;
  /** Whether the next request is its probe, which no other one is then. `repeatable`: it may be sent again elsewhere when it fails. */
  probe(nowMs: number, repeatable: boolean): boolean;
}

/** What circuit breaking knows of all endpoints of a service. */
export interface ServiceHealth {
  /** Rises with each endpoint that is ejected or comes back. */
  readonly changes: number;
  /** Before then nobody need be probed. */
  readonly nextProbeMs: number;
}

export interface Candidate {
  /** The same on every proxy: keys lead to it. */
  readonly id: string;
  readonly load: EndpointLoad;
  readonly health: EndpointHealth;
  /** Its share beside others; above 0. */
  readonly weight: number;
  readonly zone: string;
  readonly region: string;
  /** When it came to endpoints that were there before; -Infinity when it was among the first. */
  readonly addedMs: number;
}

/** Since when it takes requests; -Infinity: always. */
export function sinceOf({ addedMs, health }: Candidate): number {
  return health.closedSinceMs > addedMs ? health.closedSinceMs : addedMs;
}

/** What is the same for all of them. */
interface Starting {
  /** 0: they start with all of their shares. */
  readonly slowStartMs: number;
  /** Share to begin with. */
  readonly slowStartMin: number;
}

/** Its weight; less while it starts: from the least share, in a straight line, to all of it. */
export function shareOf(
  candidate: Candidate,
  { slowStartMs, slowStartMin }: Starting,
  nowMs: number,
): number {
  const passedMs = nowMs - sinceOf(candidate);
  if (passedMs >= slowStartMs) return candidate.weight;
  return candidate.weight * Math.max(slowStartMin, passedMs / slowStartMs);
}
