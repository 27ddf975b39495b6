/**
 * HTTP for the control APIs, on the same drivers as the data plane: a server that knows who calls, and a client that
 * proves who it is. `control_server.ts` and `control_client.ts` implement it; the modes import those and these types.
 */
import type { PeerCertificate, SocketError, TlsCredential } from "../../runtime/contract.ts";
import type { LinesUp } from "./lines_up.ts";
import type { Address } from "../base/socket_address.ts";

/** Who sent a request, from the verified connection. */
export interface Caller {
  /** null: no client certificate (only where the server allows it). */
  readonly certificate: PeerCertificate | null;
  /** The one URI SAN; null without certificate. */
  readonly spiffeId: string | null;
  readonly remoteAddress: string;
}

/** What a Hono app's `fetch` is: the environment carries the caller. */
export type ControlHandler = (
  request: Request,
  env: { readonly caller: Caller; readonly lines?: LinesUp },
) => Response | Promise<Response>;

/** Read at each new connection, so a renewed credential or bundle counts from the next one on. */
export interface ControlIdentity {
  readonly credential: TlsCredential | null;
  readonly rootsPem: readonly string[];
}

export interface ControlAnswer {
  readonly status: number;
  /** Parsed JSON; null when the body was empty. */
  readonly body: unknown;
}

/** The peer answered, but not with 2xx. `problem.error` is what it said. */
export class ControlRefusal extends Error {
  override readonly name = "ControlRefusal";
  constructor(
    readonly status: number,
    readonly problem: {
      readonly error: string;
      readonly hint?: string;
      readonly issues?: readonly unknown[];
    },
    readonly address: string,
  ) {
    super(problem.error);
  }
}

/** No answer: the peer was not reached, or was not who it should be. */
export class ControlUnreachable extends Error {
  override readonly name = "ControlUnreachable";
  constructor(
    readonly address: string,
    readonly reason: SocketError,
  ) {
    super(`Cannot reach ${address}: ${reason.message}`);
  }
}

export interface ControlStream {
  /** A line to the server. False: it takes none, or not now; it has to be told by a call. */
  send(message: unknown): boolean;
  close(): void;
}

export interface StreamHandler {
  /** Where it is, once somebody was reached there, before its first line. */
  reached?(server: Address): void;
  /** One line, parsed. */
  line(message: unknown): void;
  /** The stream ended or never opened. Called once; not after `close`. */
  ended(error: ControlRefusal | ControlUnreachable | null): void;
}

export interface StreamOptions {
  /** Lines are sent on it, too, where the server takes them. */
  readonly both?: boolean;
}

export interface ControlClient {
  /** Resolves with a 2xx answer; rejects with ControlRefusal or ControlUnreachable. */
  call(
    method: "GET" | "POST" | "PUT" | "DELETE",
    path: string,
    body?: unknown,
    /** How long the answer may take; `limits.controlCallMs` when not given. */
    limitMs?: number,
  ): Promise<ControlAnswer>;
  /** The bytes of an answer that is not JSON. */
  fetchBytes(path: string): Promise<Uint8Array>;
  /** Follows an NDJSON stream; with a body by POST, else by GET. Ends by itself when nothing, not even a heartbeat, came for three heartbeats. */
  stream(path: string, handler: StreamHandler, body?: unknown, options?: StreamOptions): ControlStream;
  close(): void;
}
