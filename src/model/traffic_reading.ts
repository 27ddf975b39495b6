/** What a proxy counted between its services and others since it last told, as the controller keeps it for the dashboard. */

export interface TrafficReading {
  /** So many milliseconds are in it, up to now. */
  readonly coveredMs: number;
  /** Of the proxy. */
  readonly version: string;
  readonly residentBytes: number;
  /** Processor time within, seconds. */
  readonly cpuSeconds: number;
  /** Seconds: upper bounds of `durations`. */
  readonly bounds: readonly number[];
  /** Without those between which nothing passed. */
  readonly edges: readonly TrafficEdge[];
  /** Edges that were left out: there were too many. */
  readonly left: number;
}

/** A service that calls and one that is called, as the proxy of one of them counts it. */
export interface TrafficEdge {
  readonly direction: "inbound" | "outbound";
  /** Keys of services; the caller is "" when nobody proved to be one. */
  readonly from: string;
  readonly to: string;
  readonly requests: number;
  readonly failed: number;
  /** Over mutual TLS; the others stayed within their machine. */
  readonly secure: number;
  /** Of bodies and connections, both ways. */
  readonly bytes: number;
  /** Opaque connections that are open now. */
  readonly tcpOpen: number;
  /** Requests by how long they took; one more than `bounds`: what is above the last. */
  readonly durations: readonly number[];
}
