/** How long things of a pool may take, as its service says. */
import type { TlsClientOptions } from "../../../runtime/contract.ts";

export interface PoolTimes {
  readonly connectMs: number;
  /** Of TLS; null: as usual. */
  readonly handshakeMs: number | null;
  /** For which an unused connection is kept; null: as is usual for what it speaks. */
  readonly idleMs: number | null;
}

/** With the time that it has, where somebody said so. */
export function hurried(tls: TlsClientOptions, handshakeMs: number | null): TlsClientOptions {
  return handshakeMs === null ? tls : { ...tls, handshakeTimeoutMs: handshakeMs };
}
