/** What a rule of a route does with its requests beside sending them on, where that is more than an edit of their heads. */
import type { ServiceName } from "./service.ts";

/**
 * Which pages of other origins may read the answers (the Fetch standard's CORS protocol, as HTTPCORSFilter of the Gateway API has it).
 * `*` stands alone in its list.
 */
export interface Cors {
  /** `https://shop.example`, `https://*.shop.example:8443`, or `*` for all. */
  readonly origins: readonly string[];
  /** Requests may carry cookies and the like. */
  readonly credentials: boolean;
  /** Upper case. Empty: those that need no permission. */
  readonly methods: readonly string[];
  readonly headers: readonly string[];
  readonly expose: readonly string[];
  /** How long a browser may go by the answer to a preflight request, seconds. */
  readonly maxAgeS: number;
}

/** A copy of its requests to another service, whose answers nobody gets. */
export interface Mirror {
  readonly service: ServiceName;
  readonly subset: string | null;
  /** Of the requests, from 0 to 1. */
  readonly share: number;
}

/** Faults made on purpose, to see what callers do then. In force only where the Mesh allows them. */
export interface Fault {
  /** Requests wait so long before they go on. */
  readonly delay?: { readonly ms: number; readonly share: number };
  /** Requests are answered so, and reach no service. */
  readonly abort?: { readonly status: number; readonly share: number; readonly grpc?: number };
}
