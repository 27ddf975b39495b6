/**
 * How an exchange ended, as data: the short flag of logs and metrics, the side at fault, and whether sending the
 * request again is safe. Stages return outcomes; the rescue table of the proxy turns them into answers.
 */

/** Flags in Envoy's spelling where Envoy has one; AD, PD, PE, ID, DP are heddle's own. `heddle explain flags` says what each means. */
export const flags = [
  ...(["UH", "UF", "UO", "NR", "NC", "URX", "UT", "UC", "UR", "DC", "DPE", "UPE"] as const),
  ...(["DT", "SI", "AD", "PD", "PE", "ID", "RL", "OM", "DP", "FI"] as const),
] as const;

export type Flag = (typeof flags)[number];

const known: ReadonlySet<string> = new Set(flags);

/** Whether what a peer calls a flag is one. */
export function isFlag(text: string): text is Flag {
  return known.has(text);
}

export type Side = "downstream" | "upstream" | "mesh" | "policy";

/**
 * `no`: never. `yes`: nothing of it left, or the peer said it did nothing. `idempotent`: the peer may have acted on it but
 * said nothing, so only what may happen twice is sent again.
 */
export type Repeat = "no" | "yes" | "idempotent";

export interface Outcome {
  readonly flag: Flag;
  readonly side: Side;
  readonly repeat: Repeat;
  /** HTTP status that tells it to a client that has not been answered yet. */
  readonly status: number;
  /**
   * The error code of HTTP/2 with which the app reset the stream, where it is meant for the caller too (RFC 9113 section 7): a
   * caller of HTTP/2 gets it instead of an answer.
   */
  readonly reset?: number;
  /** Status code for a gRPC caller, where `status` does not tell it. */
  readonly grpc?: number;
  /** When to come again, where that is known: `Retry-After`, and `grpc-retry-pushback-ms` to a gRPC caller. */
  readonly retryAfterMs?: number;
  /** One plain sentence without a full stop: what failed, with names and numbers. */
  readonly detail: string;
}
