/** An app that speaks HTTP/2 in memory, says how many requests it takes at a time on a connection, and answers each after a while. */
import type { Listener } from "../../runtime/contract.ts";
import type { ServerExchange } from "../../src/http/exchange.ts";
import { Http2Server } from "../../src/http/h2_server.ts";
import { Shard } from "../../src/http/shard.ts";
import { noEdits } from "../../src/wire/fields.ts";
import { profiles } from "../../src/wire/h2/settings.ts";
import type { MemoryNet } from "./memory_net.ts";

export interface SmallAppOptions {
  /** At a time on each connection (SETTINGS_MAX_CONCURRENT_STREAMS). */
  readonly streamsMax: number;
  readonly answerMs: number;
}

export class SmallApp {
  readonly port: number;
  connections = 0;
  served = 0;
  /** Requests that came beyond what was announced. */
  refused = 0;
  readonly #shard: Shard;
  readonly #listener: Listener;
  #streamsMax: number;
  readonly open = new Set<Http2Server>();

  constructor(
    readonly net: MemoryNet,
    readonly options: SmallAppOptions,
  ) {
    this.#streamsMax = options.streamsMax;
    this.#shard = new Shard(net.clock);
    this.#listener = net.listen({ host: "127.0.0.1", port: 0 }, (socket) => {
      this.connections++;
      const server: Http2Server = new Http2Server(socket, {
        shard: this.#shard,
        profile: { ...profiles.local, streamsMax: this.#streamsMax },
        connection: { remoteAddress: "", remotePort: 0, localPort: 0, peer: null, serverName: "" },
        handler: (exchange) => this.#serve(exchange),
        onLimit: (limit) => void (limit === "streamsMax" && this.refused++),
        onClosed: () => void this.open.delete(server),
      });
      this.open.add(server);
      return server;
    });
    this.port = this.#listener.port;
  }

  #serve(exchange: ServerExchange): void {
    this.net.clock.after(this.options.answerMs, () => {
      this.#shard.enter();
      this.served++;
      exchange.respond(200, null, noEdits, 0);
      exchange.end(null);
      this.#shard.leave();
    });
  }

  /** Another one takes its place. */
  restart(streamsMax: number): void {
    this.#streamsMax = streamsMax;
    for (const server of this.open) server.destroy();
  }
}
