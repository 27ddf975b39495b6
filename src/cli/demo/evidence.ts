/** What the demo shows is what the proxies reported: access log lines give one request's path, metrics give the edges. */

/** The parts of an access log line that the demo reads. */
export interface Hop {
  readonly direction: "inbound" | "outbound";
  readonly src: string;
  readonly dst: string;
  readonly src_id?: string;
  readonly dst_id?: string;
  readonly method?: string;
  readonly path?: string;
  readonly status?: number;
  readonly dur_ms: number;
  readonly tls: boolean;
  readonly upstream?: string;
  readonly route?: string;
  readonly request_id?: string;
  readonly policies?: readonly { readonly name: string; readonly decision: string }[];
  readonly attempts?: readonly { readonly endpoint: string; readonly result: string }[];
}

/** null for a line that is no access log line. */
export function parseHop(line: string): Hop | null {
  if (!line.startsWith('{"ts"')) return null;
  try {
    return JSON.parse(line) as Hop;
  } catch {
    return null;
  }
}

export interface Edge {
  readonly source: string;
  readonly destination: string;
  readonly requests: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface Gathered {
  requests: number;
  failed: number;
  /** Upper bound in seconds to the count of requests at or below it. */
  buckets: Map<number, number>;
}

/** Samples of one Prometheus exposition, keyed by name and labels. */
export type Samples = ReadonlyMap<string, number>;

export function parseSamples(text: string): Samples {
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line.startsWith("#") || line === "") continue;
    const space = line.lastIndexOf(" ");
    samples.set(line.slice(0, space), Number(line.slice(space + 1)));
  }
  return samples;
}

/** Requests, failures and latency per outbound edge between two expositions of every proxy. */
export function edgesBetween(before: readonly Samples[], after: readonly Samples[]): Edge[] {
  const edges = new Map<string, Gathered>();
  after.forEach((samples, at) => {
    for (const [key, value] of samples) {
      const labels = labelsOf(key);
      if (labels["direction"] !== "outbound") continue;
      const name = `${labels["peer"]} ${labels["service"]}`;
      const gained = value - (before[at]?.get(key) ?? 0);
      const edge = edges.get(name) ?? { requests: 0, failed: 0, buckets: new Map<number, number>() };
      edges.set(name, edge);
      if (key.startsWith("heddle_requests_total{")) {
        edge.requests += gained;
        if (Number(labels["code"]) >= 500 || labels["flags"] !== "") edge.failed += gained;
      } else if (key.startsWith("heddle_request_duration_seconds_bucket{")) {
        const bound = labels["le"] === "+Inf" ? Number.POSITIVE_INFINITY : Number(labels["le"]);
        edge.buckets.set(bound, (edge.buckets.get(bound) ?? 0) + gained);
      }
    }
  });
  return [...edges]
    .filter(([, edge]) => edge.requests > 0)
    .map(([name, edge]) => {
      const [source = "", destination = ""] = name.split(" ");
      const { requests, failed, buckets } = edge;
      return {
        source,
        destination,
        requests,
        failed,
        p50Ms: quantile(buckets, 0.5),
        p99Ms: quantile(buckets, 0.99),
      };
    });
}

function labelsOf(key: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const match of key.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
    labels[match[1] as string] = match[2] as string;
  return labels;
}

/** Linear inside the bucket, as Prometheus does it; milliseconds. */
function quantile(buckets: ReadonlyMap<number, number>, share: number): number {
  const bounds = [...buckets.keys()].sort((a, b) => a - b);
  const total = buckets.get(Number.POSITIVE_INFINITY) ?? 0;
  let lower = 0;
  let below = 0;
  for (const bound of bounds) {
    const count = buckets.get(bound) ?? 0;
    if (count >= share * total && bound !== Number.POSITIVE_INFINITY) {
      const inside = count - below;
      return (lower + (bound - lower) * (inside === 0 ? 1 : (share * total - below) / inside)) * 1000;
    }
    lower = bound === Number.POSITIVE_INFINITY ? lower : bound;
    below = count;
  }
  return lower * 1000;
}
