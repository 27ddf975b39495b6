/**
 * How many streams of one service are open, by kind: plain numbers that live on from state to state and are read when somebody
 * looks. A stream is open from the head of its answer (or since its connection stands) to its end; before, nobody can tell.
 */
import type { ResponseHead } from "../../http/exchange.ts";
import { streamKinds, type StreamCounts, type StreamKind } from "../../model/stream_kind.ts";
import { isGrpcType } from "../../wire/grpc.ts";

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

  /** Kinds of which some are open, and how many. */
  get counts(): StreamCounts {
    return Object.fromEntries(
      streamKinds.filter((kind) => this.#open[kind] > 0).map((kind) => [kind, this.#open[kind]]),
    );
  }

  /** How many are open; null when there never was one. */
  of(kind: StreamKind): number | null {
    return this.#seen[kind] ? this.#open[kind] : null;
  }
}

/**
 * What an answer turns its exchange into; null: nothing that stays, or a tunnel of a protocol that is not counted. The one place
 * that decides it: what is a stream here may be silent as long as it likes.
 */
export function streamOf(
  head: ResponseHead,
  upgrade: string | null,
  callerSpeaksGrpc: boolean,
): StreamKind | null {
  if (callerSpeaksGrpc) return "grpc";
  if (head.tunnel) return upgrade === "websocket" ? "ws" : null;
  // What says its length is no stream.
  if (head.contentLength >= 0) return null;
  const type = head.fields.get("content-type");
  if (type === null) return null;
  if (isEventStream(type)) return "sse";
  return isGrpcType(type) ? "grpc" : null;
}

/** By the media type of an answer. @visibleForTesting */
function isEventStream(type: string): boolean {
  return /^text\/event-stream(?:[;\s]|$)/i.test(type);
}
