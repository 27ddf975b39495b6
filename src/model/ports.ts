/** Default ports of the three modes; every one is configurable. */
import { limits } from "./limits.ts";

export const ports = {
  controller: 7443,
  registry: 7444,
  inbound: 7445,
  /** HTTP outbound listener of the first local service; the next service has the next port. */
  outboundFirst: 7480,
  /** DNS of `*.mesh`, on loopback, UDP and TCP. */
  dns: 7453,
  /**
   * Where connections of intercepted units are redirected to, on loopback: the first of `redirectedPorts` (limits). Of several, because
   * connections to different services may come from one port of the unit, and the kernel gives one of them another port where both lead
   * to one of ours: then nobody could tell who made it.
   */
  redirected: 7464,
  /** The same by rules that an earlier version loaded, until they are loaded again. */
  redirectedBefore: 7450,
  admin: 9464,
} as const;

/** All of them, one behind the other. */
export const redirectedPorts: readonly number[] = Array.from(
  { length: limits.redirectedPorts },
  (_, at) => ports.redirected + at,
);
