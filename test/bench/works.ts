/**
 * The works of the bench whose cost is compared: what is spoken on each leg, what answers, what the load is, and the bars. Every
 * proxy is started, loaded and reported by this table.
 */

/** What is spoken on one leg of a way; HTTP/2 in clear text is by prior knowledge. */
export type Wire = "http/1.1" | "http2" | "tcp";

/**
 * `page`: 1 kB by HTTP/1.1. `page2`: the same by HTTP/2. `grpc`: a message of 1 kB and `grpc-status` in trailers.
 * `stream`: the TCP server of stream_server.ts.
 */
export type BackendName = "page" | "page2" | "grpc" | "stream";

/** `http1`, `http2`, `grpc`: h2load, closed loop. `bulk`, `short`, `events`: stream_load.ts. */
export type LoadName = "http1" | "http2" | "grpc" | "bulk" | "short" | "events";

export interface WorkPlan {
  readonly title: string;
  /** From the load to the backend: two legs are one proxy, three are a pair with mTLS 1.3 between. */
  readonly legs: readonly [Wire, Wire] | readonly [Wire, Wire, Wire];
  readonly backend: BackendName;
  readonly load: LoadName;
  /** The load comes by TLS 1.3, without a certificate of its own: the first proxy stands at the edge. */
  readonly https?: true;
  /** Processor time of heddle is at most this many times that of a peer. */
  readonly bars: Readonly<Record<string, number>>;
  /** At most this is added at p50 to what the backend itself takes, which is measured beside it. */
  readonly addedP50MsMax?: number;
}

const plans = {
  hop: {
    title: "(a) One clear HTTP/1.1 hop",
    legs: ["http/1.1", "http/1.1"],
    backend: "page",
    load: "http1",
    bars: { HAProxy: 1.2, Envoy: 0.4 },
  },
  pair: {
    title: "(b) HTTP/1.1 through a pair with mTLS 1.3 between, peers in HTTP/1.1",
    legs: ["http/1.1", "http/1.1", "http/1.1"],
    backend: "page",
    load: "http1",
    bars: { HAProxy: 1.15, Envoy: 0.4 },
  },
  tcp: {
    title: "(c) Opaque TCP through a pair with mTLS 1.3 between, requests as load",
    legs: ["tcp", "tcp", "tcp"],
    backend: "page",
    load: "http1",
    bars: { HAProxy: 1.0 },
  },
  hop2: {
    title: "(d) One clear hop, HTTP/2 to HTTP/2 (nginx: to HTTP/1.1)",
    legs: ["http2", "http2"],
    backend: "page2",
    load: "http2",
    bars: { HAProxy: 1.1, Envoy: 0.35 },
  },
  pair2: {
    title: "(e) HTTP/2 through a pair with mTLS 1.3 between",
    legs: ["http2", "http2", "http2"],
    backend: "page2",
    load: "http2",
    bars: { HAProxy: 1.1, Envoy: 0.3 },
  },
  grpc: {
    title: "(f) Unary gRPC through a pair with mTLS 1.3 between",
    legs: ["http2", "http2", "http2"],
    backend: "grpc",
    load: "grpc",
    bars: { HAProxy: 1.1, Envoy: 0.3 },
  },
  carried: {
    title: "(g) HTTP/1.1 through a pair, carried as HTTP/2 with mTLS 1.3 between",
    legs: ["http/1.1", "http2", "http/1.1"],
    backend: "page",
    load: "http1",
    bars: { HAProxy: 1.1, Envoy: 1 / 3 },
  },
  bulk: {
    title: "(h) Opaque TCP in bulk through a pair with mTLS 1.3 between, half in each direction",
    legs: ["tcp", "tcp", "tcp"],
    backend: "stream",
    load: "bulk",
    bars: { HAProxy: 1.2 },
  },
  short: {
    title: "(i) Short TCP connections through a pair that already talks: 1 kB each way",
    legs: ["tcp", "tcp", "tcp"],
    backend: "stream",
    load: "short",
    bars: { HAProxy: 0.25 },
  },
  events: {
    title: "(l) Server-sent events through a pair with mTLS 1.3 between",
    legs: ["http/1.1", "http/1.1", "http/1.1"],
    backend: "stream",
    load: "events",
    bars: {},
    addedP50MsMax: 0.3,
  },
  edge: {
    title:
      "(y) HTTPS by HTTP/1.1 through a gateway and a second proxy with mTLS 1.3 between, peers in HTTP/1.1",
    legs: ["http/1.1", "http/1.1", "http/1.1"],
    backend: "page",
    load: "http1",
    https: true,
    bars: { HAProxy: 1.15, Envoy: 0.4 },
  },
  edge2: {
    title: "(z) HTTPS by HTTP/2 through a gateway and a second proxy with mTLS 1.3 between",
    legs: ["http2", "http2", "http2"],
    backend: "page2",
    load: "http2",
    https: true,
    bars: { HAProxy: 1.1, Envoy: 0.3 },
  },
  mixed: {
    title: "(m) As (g), by heddle's proxies after they carried other protocols",
    legs: ["http/1.1", "http2", "http/1.1"],
    backend: "page",
    load: "http1",
    bars: {},
  },
} as const satisfies Record<string, WorkPlan>;

export type Work = keyof typeof plans;
export const works = Object.keys(plans) as readonly Work[];
export const workPlans: Readonly<Record<Work, WorkPlan>> = plans;

/** What heddle's proxies do first: code that is compiled for several protocols is not as fast as for one. */
export const worksBefore: Readonly<Partial<Record<Work, readonly Work[]>>> = {
  mixed: ["hop", "pair", "tcp", "hop2", "pair2", "grpc"],
};
