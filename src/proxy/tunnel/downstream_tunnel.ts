/**
 * A CONNECT whose way is decided by what its client sends behind it: it is answered at once, the bytes are gathered until
 * somebody can tell, or the time is over. Then it waits, paused, until it is joined or refused; nothing of the bytes is lost.
 */
import type { RequestSink, ServerExchange } from "../../http/exchange.ts";
import type { Shard } from "../../http/shard.ts";
import type { Outcome } from "../../model/outcome.ts";
import { joined } from "../../base/bytes.ts";
import { WheelEntry } from "../../base/timer_wheel.ts";
import { noEdits } from "../../wire/fields.ts";
import { ExchangeEnd } from "./exchange_end.ts";
import type { Flow } from "../share/flow.ts";
import type { Downstream } from "./downstream.ts";
import type { PipeEnd } from "./pipe.ts";

export interface DownstreamTunnelOptions {
  readonly shard: Shard;
  readonly client: string;
  readonly flow: Flow;
  readonly requestId: string;
  readonly withinMs: number;
  /** All bytes so far, and whether there will be more. True: decided. It must be when there will be none. */
  readonly decide: (bytes: Uint8Array, over: boolean) => boolean;
  /** The client left before that. */
  readonly lost: (outcome: Outcome) => void;
}

const none = new Uint8Array(0);

export class DownstreamTunnel extends WheelEntry implements Downstream, RequestSink {
  left: ((outcome: Outcome) => void) | null = null;
  readonly peer = null;
  #gathered: Uint8Array = none;
  #ended = false;
  #decided = false;
  #end: ExchangeEnd | null = null;

  constructor(
    readonly exchange: ServerExchange,
    readonly options: DownstreamTunnelOptions,
  ) {
    super();
  }

  get client(): string {
    return this.options.client;
  }

  get flow(): Flow {
    return this.options.flow;
  }

  get requestId(): string {
    return this.options.requestId;
  }

  /** Answers, and reads what comes. */
  open(): void {
    const { shard, withinMs } = this.options;
    shard.wheel.arm(this, withinMs);
    shard.tick();
    this.exchange.respond(200, null, noEdits, -1);
    this.exchange.accept(this);
  }

  // ---------------------------------------------------------------------------------------- as the downstream side

  join(): PipeEnd {
    this.left = null;
    this.#end = new JoinedTunnel(this.exchange, this.#gathered, this.#ended);
    this.#gathered = none;
    return this.#end;
  }

  /** It was answered already: a cut is all that can tell. */
  refuse(): void {
    this.left = null;
    this.exchange.abort();
  }

  // --------------------------------------------------------------------------------- as the sink of the exchange

  data(bytes: Uint8Array, start: number, end: number): void {
    if (this.#end !== null) return this.#end.data(bytes, start, end);
    this.#gathered = joined(this.#gathered, bytes.subarray(start, end));
    this.#decide(false);
  }

  end(): void {
    if (this.#end !== null) return this.#end.end();
    this.#ended = true;
    this.#decide(true);
  }

  aborted(outcome: Outcome): void {
    if (this.#end !== null) return this.#end.aborted(outcome);
    const { left } = this;
    this.left = null;
    if (this.#decided) return left?.(outcome);
    this.#settle();
    this.options.lost(outcome);
  }

  writable(): void {
    this.#end?.writable();
  }

  expired(): void {
    const { shard } = this.options;
    shard.enter();
    this.#decide(true);
    shard.leave();
  }

  #decide(over: boolean): void {
    if (this.#decided || !this.options.decide(this.#gathered, over)) return;
    this.#settle();
    if (this.#end === null) this.exchange.pause();
  }

  #settle(): void {
    this.#decided = true;
    this.options.shard.wheel.forget(this);
  }
}

/** The exchange as an end: what was gathered goes first. */
class JoinedTunnel extends ExchangeEnd {
  constructor(
    exchange: ServerExchange,
    private early: Uint8Array,
    private readonly ended: boolean,
  ) {
    super(exchange);
  }

  override begin(): void {
    const { early } = this;
    this.early = none;
    this.bytes += early.length;
    const full = early.length > 0 && this.other?.take(early, 0, early.length) === false;
    if (this.ended) this.end();
    else if (!full) this.resume();
  }
}
