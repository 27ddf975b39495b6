/**
 * How many streams of one service are open, by kind: plain numbers that live on from state to state and are read when somebody
 * looks. A stream is open from the head of its answer (or since its connection stands) to its end; before, nobody can tell.
 */
import type { ResponseHead } from "../http/exchange.ts";

export const streamKinds = ["sse", "ws", "grpc", "tcp"] as const;
export type StreamKind = (typeof streamKinds)[number];

export class OpenStreams {
  readonly #open: Record<StreamKind, number> = { sse: 0, ws: 0, grpc: 0, tcp: 0 };
  readonly #seen: Record<StreamKind, boolean> = { sse: false, ws: false, grpc: false, tcp: false };

  opened(kind: StreamKind): void {
    this.#open[kind]++;
    this.#seen[kind] = true;
  }

  closed(kind: StreamKind): void {
    this.#open[kind]--;
  }

  /** How many are open; null when there never was one. */
  of(kind: StreamKind): number | null {
    return this.#seen[kind] ? this.#open[kind] : null;
  }
}

/** What an answer that is no gRPC turns its exchange into; null: nothing that stays. Only heads without a length need be asked. */
export function streamOf({ tunnel, fields }: ResponseHead, upgrade: string | null): "sse" | "ws" | null {
  if (tunnel) return upgrade === "websocket" ? "ws" : null;
  return isEventStream(fields.get("content-type")) ? "sse" : null;
}

/** By the media type of an answer. @visibleForTesting */
export function isEventStream(type: string | null): boolean {
  return type !== null && /^text\/event-stream(?:[;\s]|$)/i.test(type);
}
