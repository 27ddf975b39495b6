/** Default ports of the three modes; every one is configurable. */
export const ports = {
  controller: 7443,
  registry: 7444,
  inbound: 7445,
  /** HTTP outbound listener of the first local service; the next service has the next port. */
  outboundFirst: 7480,
  /** DNS of `*.mesh`, on loopback, UDP and TCP. */
  dns: 7453,
  /** Where connections of intercepted units are redirected to, on loopback. */
  redirected: 7450,
  admin: 9464,
} as const;
