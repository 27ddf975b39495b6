/**
 * Connections to one endpoint, for one source identity and one service: taken when idle, dialled when there is none, never
 * shared with another pool. Also to the local app, in clear text. Whoever finds none waits in line, for a bounded time.
 */
import type { Net, Socket, SocketError, TlsClientOptions } from "../../../runtime/contract.ts";
import { WheelEntry } from "../../base/timer_wheel.ts";
import { Http1Client, type Http1ClientOptions } from "../../http/h1_client.ts";
import type { Shard } from "../../http/shard.ts";
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { OpenConnections } from "../open_connections.ts";
import { dialOutcome } from "./dial_outcome.ts";

export interface PoolOptions {
  readonly net: Net;
  readonly shard: Shard;
  readonly host: string;
  readonly port: number;
  readonly connectMs: number;
  /** For words: `orders.default on vm-2 (10.0.0.2:7445)`. */
  readonly peer: string;
  /** null: clear text. Read at each dial, so a renewed credential counts from the next one on; a string says why not. */
  readonly tls: (() => TlsClientOptions | string) | null;
  readonly onLimit: (limit: string) => void;
  /** Knows each connection from its handshake to its end, also once the pool has let go of it. */
  readonly open?: OpenConnections;
}

/** Waits for a connection. Exactly one of the two is called, maybe from inside `acquire`; none after `leave`. */
export interface Taker {
  connected(connection: Http1Client): void;
  unreachable(outcome: Outcome): void;
}

interface Waiting {
  readonly taker: Taker;
  readonly sinceMs: number;
}

class PooledConnection extends Http1Client {
  constructor(
    socket: Socket,
    options: Http1ClientOptions,
    readonly openedMs: number,
  ) {
    super(socket, options);
  }
}

export class Pool extends WheelEntry {
  readonly #idle: PooledConnection[] = [];
  readonly #open = new Set<PooledConnection>();
  readonly #clientOptions: Http1ClientOptions;
  #waiting: Waiting[] = [];
  #dialling = 0;
  #retired = false;
  /** Rises when the credential changes: a dial under way with the old one is not kept. */
  #generation = 0;

  constructor(readonly options: PoolOptions) {
    super();
    const { shard, peer, tls, onLimit, open } = options;
    this.#clientOptions = {
      shard,
      peer,
      identityAtStake: tls !== null,
      onIdle: (idle) => this.#release(idle as PooledConnection),
      onRetired: (gone) => this.#forget(gone as PooledConnection),
      ...(open === undefined ? {} : { onClosed: (closed) => open.delete(closed) }),
      onLimit,
    };
  }

  acquire(taker: Taker, nowMs: number): void {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.room > 0 && nowMs - idle.openedMs < limits.connectionAgeMs) return taker.connected(idle);
      idle.retire();
    }
    if (this.#waiting.length >= limits.pendingMax) {
      this.options.onLimit("pendingMax");
      return taker.unreachable(this.#overflow(`${limits.pendingMax} requests wait for a connection already`));
    }
    this.#waiting.push({ taker, sinceMs: nowMs });
    this.#dialForWaiting();
  }

  /** Waits no longer. */
  leave(taker: Taker): void {
    this.#waiting = this.#waiting.filter((each) => each.taker !== taker);
  }

  /** The credential or the trusted roots changed: what is under way goes on, nothing new starts on the old connections. */
  refresh(): void {
    this.#generation++;
    for (const connection of [...this.#open]) connection.retire();
  }

  /** The endpoint is gone: idle connections end now, the others after their request. */
  retire(): void {
    this.#retired = true;
    this.refresh();
  }

  /** The time of the one that waits longest is over. */
  expired(): void {
    const { shard, onLimit } = this.options;
    const before = shard.clock.now() - limits.pendingMs;
    while (this.#waiting.length > 0 && (this.#waiting[0] as Waiting).sinceMs <= before) {
      onLimit("pendingMs");
      const detail = `no connection was free for ${limits.pendingMs} ms`;
      this.#waiting.shift()?.taker.unreachable(this.#overflow(detail));
    }
    this.#watchWaiting();
  }

  #dialForWaiting(): void {
    while (this.#waiting.length > this.#dialling) {
      if (this.#open.size + this.#dialling >= limits.connectionsMax) {
        this.options.onLimit("connectionsMax");
        break;
      }
      if (!this.#dial()) return;
    }
    this.#watchWaiting();
  }

  /** False when it cannot even be tried: everybody who waits was told. */
  #dial(): boolean {
    const { net, host, port, connectMs, tls } = this.options;
    const secured = tls === null ? undefined : tls();
    if (typeof secured === "string") {
      const outcome: Outcome = { flag: "ID", side: "mesh", repeat: "no", status: 503, detail: secured };
      for (const { taker } of this.#waiting.splice(0)) taker.unreachable(outcome);
      return false;
    }
    const generation = this.#generation;
    this.#dialling++;
    net.connect(
      { host, port, timeoutMs: connectMs, ...(secured === undefined ? {} : { tls: secured }) },
      {
        opened: (socket) => this.#opened(socket, generation).handler,
        failed: (error) => this.#failed(error),
      },
    );
    return true;
  }

  #opened(socket: Socket, generation: number): Http1Client {
    const { shard } = this.options;
    this.#dialling--;
    const connection = new PooledConnection(socket, this.#clientOptions, shard.clock.now());
    this.#open.add(connection);
    this.options.open?.add(connection, socket.tls?.peer ?? null);
    shard.enter();
    if (generation === this.#generation) this.#release(connection);
    else {
      connection.retire();
      this.#dialForWaiting();
    }
    shard.leave();
    return connection;
  }

  #failed(error: SocketError): void {
    const { shard, peer } = this.options;
    this.#dialling--;
    shard.enter();
    this.#waiting.shift()?.taker.unreachable(dialOutcome(peer, error));
    this.#dialForWaiting();
    shard.leave();
  }

  /** A connection takes a request: the first in line gets it. */
  #release(connection: PooledConnection): void {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) waiting.taker.connected(connection);
    else if (this.#retired) connection.retire();
    else this.#idle.push(connection);
  }

  #forget(connection: PooledConnection): void {
    this.#open.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    if (this.#waiting.length > this.#dialling) this.#dialForWaiting();
  }

  #watchWaiting(): void {
    const first = this.#waiting[0];
    const { shard } = this.options;
    if (first === undefined) return shard.wheel.forget(this);
    shard.wheel.arm(this, Math.max(0, first.sinceMs + limits.pendingMs - shard.clock.now()));
    shard.tick();
  }

  #overflow(detail: string): Outcome {
    return {
      flag: "UO",
      side: "mesh",
      repeat: "yes",
      status: 503,
      detail: `${detail} to ${this.options.peer}`,
    };
  }
}
