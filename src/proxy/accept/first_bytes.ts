/**
 * A connection whose first bytes decide what becomes of it: they are gathered until somebody can tell, or the time is over.
 * The decision gets the bytes with it; nothing of them is lost.
 */
import type { Socket, SocketError, SocketHandler } from "../../../runtime/contract.ts";
import { WheelEntry } from "../../base/timer_wheel.ts";
import type { Hoarder } from "../../http/buffered.ts";
import { Carry } from "../../http/carry.ts";
import type { Shard } from "../../http/shard.ts";

export interface FirstBytesOptions {
  readonly shard: Shard;
  readonly withinMs: number;
  /** A limit of the limits table ended it. */
  readonly onLimit: (limit: string) => void;
  /**
   * All bytes so far (a view that ends with the call), and why there will be no more. True: the socket has another handler
   * now, which was given the bytes. False: wait for more; after `over`, nobody wants this connection.
   */
  readonly decide: (bytes: Uint8Array, over: "time" | "end" | null) => boolean;
}

const none = new Uint8Array(0);

export class FirstBytes extends WheelEntry implements SocketHandler, Hoarder {
  readonly #gathered: Carry;
  #done = false;

  constructor(
    readonly socket: Socket,
    readonly options: FirstBytesOptions,
  ) {
    super();
    this.#gathered = new Carry(options.shard.buffered, this);
    options.shard.wheel.arm(this, options.withinMs);
    options.shard.tick();
  }

  data(chunk: Uint8Array): void {
    const { shard } = this.options;
    shard.enter();
    const all = this.#gathered.empty ? chunk : this.#gathered.takeWith(chunk);
    if (!this.#decided(all, null)) this.#gathered.keep(all, 0, all !== chunk);
    shard.leave();
  }

  drain(): void {}

  end(): void {
    const decided = this.#decided(this.#gathered.take() ?? none, "end");
    if (decided && this.socket.handler !== this) this.socket.handler.end();
  }

  /** Much waits for others too. */
  giveWay(limit: string): void {
    this.#done = true;
    this.options.shard.wheel.forget(this);
    this.options.onLimit(limit);
    this.#gathered.drop();
    this.socket.reset();
  }

  close(_error: SocketError | null): void {
    this.#gathered.drop();
    this.options.shard.wheel.forget(this);
  }

  expired(): void {
    this.options.shard.enter();
    this.#decided(this.#gathered.take() ?? none, "time");
    this.options.shard.leave();
  }

  #decided(bytes: Uint8Array, over: "time" | "end" | null): boolean {
    const { shard, decide } = this.options;
    if (this.#done) return true;
    const taken = decide(bytes, over);
    if (taken || over !== null) {
      this.#done = true;
      shard.wheel.forget(this);
    }
    if (!taken && over !== null) this.socket.reset();
    return taken;
  }
}
