/** What services say of how much may be under way, put in force where it counts: gates of services, pools of endpoints and apps. */
import { limits } from "../../model/limits.ts";
import { wholeGroup, type TrafficTraits } from "../../model/traffic.ts";
import { boundAdmission } from "../guard/admission.ts";
import type { PoolBounds } from "../upstream/pool_terms.ts";
import type { PoolTimes } from "../upstream/pool_times.ts";
import type { InboundService, LiveDestination } from "./live_service.ts";

export function poolBounds(traffic: TrafficTraits | undefined): PoolBounds {
  const says = wholeGroup("limits", traffic);
  return {
    connections: says.connectionsPerEndpoint,
    requests: says.requestsPerEndpoint,
    pending: says.pending,
    pendingMs: says.pendingWaitMs,
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
    const { connections } = wholeGroup("limits", local.traffic);
    for (const { pools, room } of apps) {
      room.resize(connections ?? Infinity);
      for (const pool of Object.values(pools)) pool.bound(bounds);
    }
  }
  for (const { declared, admission, connections, room, endpoints } of destinations) {
    const says = wholeGroup("limits", declared.traffic);
    boundAdmission(admission, says.requests, says);
    boundAdmission(connections, says.connections ?? limits.limitCountMax, says);
    room.resize(says.connections ?? Infinity);
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
