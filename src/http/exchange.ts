/**
 * What the pipeline sees of HTTP, whatever its version: an exchange that a server driver opened, and a stream that a
 * client driver carries on. Drivers own framing, keep-alive, flow control and timers; the pipeline owns decisions.
 *
 * Written bytes are gathered per connection and leave in one system call when the current socket callback returns (or a
 * buffer fills), so a head and its first body bytes share a write. Body bytes cross as a range of the buffer that they stand
 * in, which is somebody else's when the call returns: a view of them would cost more than a short body.
 * Callbacks of a sink may come from inside the call that caused them only where it says so.
 */
import type { Outcome } from "../model/outcome.ts";
import type { FieldEdits, Fields } from "../wire/fields.ts";
import type { PeerCertificate } from "../../runtime/contract.ts";

/** A request head. Valid until its exchange is finished. */
export interface RequestHead {
  /** As sent; the common ones are interned strings. */
  readonly method: string;
  /** Path and query, normalised once; what is routed, checked and forwarded. `*` for OPTIONS *; "" for CONNECT. */
  readonly target: string;
  /** The path of `target`, without the query. */
  readonly path: string;
  /** Host and port that are meant, lower case: from an absolute target, `:authority` or Host. */
  readonly authority: string;
  readonly fields: Fields;
  /** Body length in bytes; -1 when framed without one; 0 for none. */
  readonly contentLength: number;
  /**
   * The protocol asked for by Upgrade or by Extended CONNECT (RFC 8441), lower case; `connect` for plain CONNECT; else
   * null. Extended CONNECT is a GET with an upgrade here: the pipeline cannot tell them apart.
   */
  readonly upgrade: string | null;
  readonly expectContinue: boolean;
  /** `HTTP/1.0`, `HTTP/1.1`, `HTTP/2`: for logs and Via only. */
  readonly version: string;
  /** Lower-case names that the sender declared to be of this hop only (Connection), beyond the usual ones. */
  readonly nominated: readonly string[] | null;
}

export interface ResponseHead {
  readonly status: number;
  readonly fields: Fields;
  /** Body length in bytes; -1 when framed without one; 0 for none, also for HEAD, 1xx, 204 and 304. */
  readonly contentLength: number;
  /**
   * True when the answer turns the exchange into a raw stream both ways: 101 (also where HTTP/2 says 200 to Extended
   * CONNECT), or 2xx to CONNECT.
   */
  readonly tunnel: boolean;
  /** As in RequestHead. */
  readonly nominated: readonly string[] | null;
  /** Nothing follows it, not even trailers. */
  readonly whole: boolean;
}

/** The connection an exchange came on. */
export interface ConnectionInfo {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  /** Verified peer of an mTLS connection, null in clear text. */
  readonly peer: PeerCertificate | null;
  readonly serverName: string;
  /** Over TLS, from outside of the mesh. */
  readonly secure?: boolean;
  /** It came in from outside of the mesh, and hears nothing of what is inside. */
  readonly outside?: boolean;
  /** What told that it speaks HTTP, where no document does: `bytes`, `end`; else absent or "". */
  readonly detectedBy?: string;
}

/**
 * Takes the request's body. The end of the exchange is told exactly once: by `end` plus a finished answer, or by `aborted`.
 * The two directions of a tunnel end one by one: `aborted` may still follow when the answer has ended and the request has not.
 */
export interface RequestSink {
  /** Body bytes: `bytes[start, end)`, until the call returns. */
  data(bytes: Uint8Array, start: number, end: number): void;
  end(trailers: Fields | null): void;
  /** The client left or broke the protocol. Nothing more can be answered. */
  aborted(outcome: Outcome): void;
  /** After `write` of the answer returned false: there is room again. */
  writable(): void;
}

/** Hears that the client left while nothing takes its body yet. */
export interface ClientWatch {
  /** Nothing can be answered, and the request head is not to be read any more. Called once, and then no sink hears of it. */
  aborted(outcome: Outcome): void;
}

/** One request as a server driver hands it over. Until `accept` is called the body waits (by TCP's window). */
export interface ServerExchange {
  readonly request: RequestHead;
  readonly connection: ConnectionInfo;
  /**
   * Starts the body. May call `sink.data` and `sink.end` from inside, with what has arrived already, or `sink.aborted` when
   * the client has left meanwhile. Call once.
   */
  accept(sink: RequestSink): void;
  /**
   * Tells when the client leaves before `accept`. null: nobody wants to hear it; whoever has the exchange then finds it
   * `finished`. Until they take up the watch again, take its body or answer it, its place counts as taken.
   */
  watch(watch: ClientWatch | null): void;
  /**
   * Why the client would not take an answer with this head: it said that it takes none so large. null: it takes it, as HTTP/1
   * clients do. Before `respond`, with what that is given.
   */
  refusesHead(fields: Fields | null, edits: FieldEdits, contentLength: number): Outcome | null;
  /** A 1xx answer, as often as wanted before `respond`. Left out for clients that cannot take it. */
  inform(status: number, fields: Fields | null, edits: FieldEdits): void;
  /**
   * The final head. Hop-by-hop fields are left out and framing is written by the driver from `contentLength`; Date is
   * added when absent. `fields` null: only what `edits` set. `whole`: `end` follows at once, without trailers; the head itself
   * ends the stream of HTTP/2, which to gRPC is another answer than a head and an empty body.
   */
  respond(
    status: number,
    fields: Fields | null,
    edits: FieldEdits,
    contentLength: number,
    whole?: boolean,
  ): void;
  /** Body bytes of the answer, `bytes[start, end)`. False: enough for now, wait for `writable`. They are taken either way. */
  write(bytes: Uint8Array, start?: number, end?: number): boolean;
  end(trailers: Fields | null): void;
  /**
   * Ends an answer that cannot be completed so that the client notices: never a clean end. Also right before `respond`, and
   * what is left of a tunnel whose answer has ended. `code`: an error code for callers of HTTP/2; default: INTERNAL_ERROR.
   */
  abort(code?: number): void;
  /** Stops and restarts `sink.data`. */
  pause(): void;
  resume(): void;
  /** The request is a declared stream: its body may come as slowly as it likes. */
  liftTimeouts(): void;
  /** A client that closes its side of an HTTP/1 connection has left, at once and also while it is answered: nobody works on for it. */
  leavesByClosing(): void;
  /**
   * Leaves of the upgrade that the request asks for only what passes where these protocols are named; null: nothing at all. In
   * HTTP/2 it stays: there a request is nothing without it. Before `accept`.
   */
  keepUpgrade(named: readonly string[] | null): void;
  /** True once the answer is complete or aborted or the client left. */
  readonly finished: boolean;
}

/** Takes the answer of an upstream. Ends exactly once: by `end` or by `failed`; in a tunnel `end` is half of it. */
export interface ResponseSink {
  informational(status: number, fields: Fields): void;
  head(head: ResponseHead): void;
  /** Body bytes: `bytes[start, end)`, until the call returns. */
  data(bytes: Uint8Array, start: number, end: number): void;
  end(trailers: Fields | null): void;
  /** The request failed before or inside its answer; `outcome.repeat` says whether it may be sent again. */
  failed(outcome: Outcome): void;
  /** After `write` of the request returned false: there is room again. */
  writable(): void;
}

/** One request on a client connection. */
export interface ClientStream {
  /** Request body bytes, `bytes[start, end)`. False: enough for now, wait for `writable`. They are taken either way. */
  write(bytes: Uint8Array, start?: number, end?: number): boolean;
  end(trailers: Fields | null): void;
  /** Gives up: the server notices. No callback follows. */
  cancel(): void;
  /** Stops and restarts `sink.data`. */
  pause(): void;
  resume(): void;
}

/** A connection to a server that takes requests: one at a time in HTTP/1, many in HTTP/2. */
export interface ClientConnection {
  /** How many requests can be started now. */
  readonly room: number;
  /** How many it takes at a time, as far as it is known. */
  readonly capacity: number;
  /** When it was opened, on the monotonic clock, milliseconds. */
  readonly openedMs: number;
  /** Requests carried so far: 0 means the first one cannot meet a keep-alive race. */
  readonly carried: number;
  start(request: OutgoingRequest, edits: FieldEdits, sink: ResponseSink): ClientStream;
  /** Takes no new request; ends when the ones under way have. */
  retire(): void;
  destroy(): void;
}

/** What a client driver sends, with edits: the request that came, unless something was rewritten. No fields: only what edits set. */
export interface OutgoingRequest {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly fields: Fields | null;
  readonly nominated: readonly string[] | null;
  readonly contentLength: number;
  readonly upgrade: string | null;
  readonly expectContinue: boolean;
}
