/** A service that is not in the mesh: where it is, and how it is reached from the machine of each caller. */
import type { Address } from "../base/socket_address.ts";
import type { ServiceName } from "./service.ts";

export interface ExternalTraits {
  /** IP addresses, or names of DNS, each with its port. */
  readonly endpoints: readonly Address[];
  /** What it is asked for (Host), in place of its name in the mesh; "" leaves that. */
  readonly host: string;
  /** Absent: connections leave as they are. */
  readonly tls?: ExternalTls;
  /** Gateway whose machines go there, for all callers. Absent: each caller's own machine does. */
  readonly via?: ServiceName;
}

export interface ExternalTls {
  /** What its certificate must name, and what it is asked for (SNI). */
  readonly serverName: string;
  /** Roots that may have issued it, PEM; absent: those that the machine trusts. */
  readonly caPem?: string;
}
