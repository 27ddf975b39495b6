/** A CONNECT exchange, from another proxy or a local app, as one end of an opaque connection. */
import type { RequestSink, ServerExchange } from "../../http/exchange.ts";
import type { Outcome } from "../../model/outcome.ts";
import { PipeEnd } from "./pipe.ts";

export class ExchangeEnd extends PipeEnd implements RequestSink {
  #sent = false;
  #received = false;

  /** The exchange was answered: it is a tunnel. */
  constructor(readonly exchange: ServerExchange) {
    super();
  }

  begin(): void {
    this.exchange.accept(this);
  }

  take(bytes: Uint8Array, start: number, end: number): boolean {
    return this.exchange.write(bytes, start, end);
  }

  finish(): void {
    if (this.#sent) return;
    this.#sent = true;
    this.exchange.end(null);
    if (this.#received) this.gone(null);
  }

  reset(): void {
    if (this.closed) return;
    this.exchange.abort();
    this.gone(null);
  }

  pause(): void {
    this.exchange.pause();
  }

  resume(): void {
    this.exchange.resume();
  }

  data(bytes: Uint8Array, start: number, end: number): void {
    this.received(bytes, start, end);
  }

  end(): void {
    this.#received = true;
    this.receivedAll();
    if (this.#sent) this.gone(null);
  }

  aborted(outcome: Outcome): void {
    this.gone(outcome);
  }

  writable(): void {
    this.hasRoom();
  }
}
