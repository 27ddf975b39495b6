/** What services say of how much may be under way, put in force where it counts: gates of services, pools of endpoints and apps. */
import { wholeGroup, type TrafficTraits } from "../../model/traffic.ts";
import { boundAdmission } from "../guard/admission.ts";
import type { PoolBounds } from "../upstream/pool.ts";
import type { PoolTimes } from "../upstream/pool_times.ts";
import type { InboundService, LiveDestination } from "./live_service.ts";

export function poolBounds(traffic: TrafficTraits | undefined): PoolBounds {
  const limits = wholeGroup("limits", traffic);
  return {
    connections: limits.connectionsPerEndpoint,
    requests: limits.requestsPerEndpoint,
    pending: limits.pending,
    pendingMs: limits.pendingWaitMs,
  };
}

export function poolTimes(traffic: TrafficTraits | undefined): PoolTimes {
  const { connectMs } = wholeGroup("timeouts", traffic);
  const written = traffic?.timeouts ?? {};
  return { connectMs, handshakeMs: written.connectMs ?? null, idleMs: written.idleMs ?? null };
}

/** Of a state that is in force from now on, and has gates and pools of the one before. */
export function boundAll(locals: Iterable<InboundService>, destinations: Iterable<LiveDestination>): void {
  for (const { local, apps } of locals) {
    const bounds = poolBounds(local.traffic);
    for (const { pools } of apps) for (const pool of Object.values(pools)) pool.bound(bounds);
  }
  for (const { declared, admission, endpoints } of destinations) {
    boundAdmission(admission, wholeGroup("limits", declared.traffic));
    const bounds = poolBounds(declared.traffic);
    const times = poolTimes(declared.traffic);
    for (const { pools } of endpoints.values())
      for (const kind of Object.values(pools))
        for (const pool of kind.values()) {
          pool.bound(bounds);
          pool.times = times;
        }
  }
}
