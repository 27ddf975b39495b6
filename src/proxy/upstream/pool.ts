/**
 * Connections to one endpoint, for one source identity and one service: taken when idle, dialled when there is none, never
 * shared with another pool. Also to the local app, in clear text.
 */
import type {
  ConnectOptions,
  Net,
  Socket,
  SocketError,
  TlsClientOptions,
} from "../../../runtime/contract.ts";
import { Http1Client } from "../../http/h1_client.ts";
import type { Shard } from "../../http/shard.ts";
import { limits } from "../../model/limits.ts";
import type { Outcome } from "../../model/outcome.ts";

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
}

/** Waits for a connection. Exactly one of the two is called, maybe from inside `acquire`. */
export interface Taker {
  connected(connection: Http1Client): void;
  unreachable(outcome: Outcome): void;
  /** Nobody waits any more. */
  readonly gone: boolean;
}

export class Pool {
  readonly #idle: Http1Client[] = [];
  readonly #open = new Map<Http1Client, number>();
  #dialling = 0;
  #retired = false;
  #generation = 0;
  readonly #generations = new WeakMap<Http1Client, number>();

  constructor(readonly options: PoolOptions) {}

  acquire(taker: Taker): void {
    const { clock } = this.options.shard;
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) break;
      if (connection.room === 0) continue;
      if (
        clock.now() - (this.#open.get(connection) ?? 0) > limits.connectionAgeMs ||
        this.#isStale(connection)
      ) {
        connection.retire();
        continue;
      }
      taker.connected(connection);
      return;
    }
    if (this.#open.size + this.#dialling >= limits.connectionsMax) {
      this.options.onLimit("connectionsMax");
      const detail = `all ${limits.connectionsMax} connections to ${this.options.peer} are in use`;
      taker.unreachable({ flag: "UO", side: "mesh", repeat: "yes", status: 503, detail });
      return;
    }
    this.#dial(taker);
  }

  /** The credential was replaced: what is under way goes on, nothing new starts on the old connections. */
  refresh(): void {
    this.#generation++;
    for (const connection of this.#idle.splice(0)) connection.retire();
  }

  /** The endpoint is gone: idle connections end now, the others after their request. */
  retire(): void {
    this.#retired = true;
    for (const connection of [...this.#open.keys()]) connection.retire();
    this.#idle.length = 0;
  }

  destroy(): void {
    this.#retired = true;
    for (const connection of [...this.#open.keys()]) connection.destroy();
  }

  #isStale(connection: Http1Client): boolean {
    return this.#generations.get(connection) !== this.#generation;
  }

  #dial(taker: Taker): void {
    const { net, host, port, connectMs, tls } = this.options;
    const secured = tls === null ? undefined : tls();
    if (typeof secured === "string") {
      taker.unreachable({ flag: "ID", side: "mesh", repeat: "no", status: 503, detail: secured });
      return;
    }
    const options: ConnectOptions = {
      host,
      port,
      timeoutMs: connectMs,
      ...(secured === undefined ? {} : { tls: secured }),
    };
    const generation = this.#generation;
    this.#dialling++;
    net.connect(options, {
      opened: (socket) => {
        this.#dialling--;
        const connection = this.#adopt(socket, generation);
        const { shard } = this.options;
        shard.enter();
        if (taker.gone) this.#release(connection);
        else taker.connected(connection);
        shard.leave();
        return connection.handler;
      },
      failed: (error) => {
        this.#dialling--;
        const { shard } = this.options;
        shard.enter();
        if (!taker.gone) taker.unreachable(this.#outcomeOf(error));
        shard.leave();
      },
    });
  }

  #adopt(socket: Socket, generation: number): Http1Client {
    const { shard, peer, tls, onLimit } = this.options;
    const connection = new Http1Client(socket, {
      shard,
      peer,
      identityAtStake: tls !== null,
      onIdle: (idle) => this.#release(idle),
      onRetired: (gone) => this.#forget(gone),
      onLimit,
    });
    this.#generations.set(connection, generation);
    this.#open.set(connection, shard.clock.now());
    return connection;
  }

  #release(connection: Http1Client): void {
    if (this.#retired || this.#isStale(connection)) connection.retire();
    else this.#idle.push(connection);
  }

  #forget(connection: Http1Client): void {
    this.#open.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  #outcomeOf(error: SocketError): Outcome {
    const { peer } = this.options;
    if (error.kind === "tls")
      return {
        flag: "ID",
        side: "upstream",
        repeat: "yes",
        status: 502,
        detail: `${peer} was not accepted: ${error.message}`,
      };
    const detail =
      error.kind === "refused"
        ? `nothing listens at ${peer}`
        : `could not connect to ${peer}: ${error.message}`;
    return { flag: "UF", side: "upstream", repeat: "yes", status: 503, detail };
  }
}
