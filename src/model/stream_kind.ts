/** Exchanges that stay: what is counted while it is open. */
export const streamKinds = ["sse", "ws", "grpc", "tcp"] as const;
export type StreamKind = (typeof streamKinds)[number];

/** Kinds of which some are open. */
export type StreamCounts = Readonly<Partial<Record<StreamKind, number>>>;

/** Of one, to which an s is put for several. */
const words: Readonly<Record<StreamKind, string>> = {
  sse: "event stream",
  ws: "WebSocket",
  grpc: "gRPC stream",
  tcp: "opaque connection",
};

/** In words, for people; "" when there is none. */
export function streamsText(counts: StreamCounts): string {
  return streamKinds
    .filter((kind) => (counts[kind] ?? 0) > 0)
    .map((kind) => `${counts[kind]} ${words[kind]}${counts[kind] === 1 ? "" : "s"}`)
    .join(", ");
}
