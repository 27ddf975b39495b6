/**
 * Active health of a local app: an HTTP path, the health service of gRPC, a TCP connect, or a program that tells, now and then. Ready at the first success, unready after two
 * failures in a row. Each change of either, and each new reason of an app that is not ready, is told.
 */
import { socketAddress } from "../../base/socket_address.ts";
import type { Clock, Net, Socket, SocketHandler, Timer } from "../../../runtime/contract.ts";
import type { Shard } from "../../http/shard.ts";
import { limits } from "../../model/limits.ts";

import { askGrpcHealth } from "./grpc_health.ts";

/** Looks once: tells why the app is not well, or null, at most once. Returns what stops it. */
export type Look = (tell: (problem: string | null) => void) => { destroy(): void };

export interface ProbeOptions {
  readonly net: Net;
  readonly clock: Clock;
  readonly host: string;
  readonly port: number;
  /** null: it is not asked by HTTP. */
  readonly path: string | null;
  /** What its health service of gRPC is asked for; null: it is not. Without either a connect is enough. */
  readonly grpc: { readonly service: string; readonly shard: Shard } | null;
  /** Another way to look, instead of these; null: none. */
  readonly look: Look | null;
  readonly everyMs: number;
  readonly changed: (ready: boolean, detail: string) => void;
}

const failuresToUnready = 2;

export class Probe {
  ready = false;
  #failures = 0;
  /** Why it is not ready, as it was told last; null: nothing was told, or it is ready. */
  problem: string | null = null;
  #timer: Timer | null = null;
  #closed = false;

  constructor(readonly options: ProbeOptions) {
    this.#probe();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #probe(): void {
    const { clock, look } = this.options;
    let settled = false;
    let open: { destroy(): void } | null = null;
    const settle = (problem: string | null): void => {
      if (settled) return;
      settled = true;
      limit.cancel();
      open?.destroy();
      this.#settled(problem);
    };
    const limit = clock.after(
      limits.probeTimeoutMs,
      () => settle(`no answer within ${limits.probeTimeoutMs} ms`),
      true,
    );
    if (look === null) this.#connect(settle, (socket) => (open = socket));
    else open = look(settle);
  }

  #connect(settle: (problem: string | null) => void, opened: (socket: Socket) => void): void {
    const { net, host, port, path, grpc } = this.options;
    net.connect(
      { host, port, timeoutMs: limits.probeTimeoutMs },
      {
        opened: (socket): SocketHandler => {
          opened(socket);
          if (grpc !== null)
            return askGrpcHealth(socket, { ...grpc, authority: socketAddress(host, port) }, settle);
          if (path === null) settle(null);
          else
            socket.write(
              new TextEncoder().encode(
                `GET ${path} HTTP/1.1\r\nhost: ${socketAddress(host, port)}\r\nuser-agent: heddle-probe\r\nconnection: close\r\n\r\n`,
              ),
            );
          return {
            data: (chunk) =>
              settle(problemOf(new TextDecoder("latin1").decode(chunk.subarray(0, 32)), path ?? "")),
            drain() {},
            end: () => settle("the app closed the connection without an answer"),
            close: () => settle("the app closed the connection without an answer"),
          };
        },
        failed: (error) =>
          settle(
            error.kind === "refused" ? `nothing listens on ${socketAddress(host, port)}` : error.message,
          ),
      },
    );
  }

  #settled(problem: string | null): void {
    if (this.#closed) return;
    const { clock, everyMs, changed } = this.options;
    this.#failures = problem === null ? 0 : this.#failures + 1;
    if (problem === null && !this.ready) {
      this.ready = true;
      this.problem = null;
      changed(true, "the app answers");
    } else if (problem !== null && problem !== this.problem && this.#failures >= failuresToUnready) {
      this.ready = false;
      this.problem = problem;
      changed(false, problem);
    }
    // An app that is not well is looked at more often, so that it is back soon.
    const pauseMs =
      this.ready && this.#failures === 0 ? everyMs : Math.min(everyMs, limits.probeUnwellEveryMs);
    this.#timer = clock.after(pauseMs, () => this.#probe(), true);
  }
}

/** 2xx and 3xx are well. */
function problemOf(head: string, path: string): string | null {
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1];
  if (status === undefined) return `${path} was not answered in HTTP`;
  return status.startsWith("2") || status.startsWith("3") ? null : `${path} was answered ${status}`;
}
