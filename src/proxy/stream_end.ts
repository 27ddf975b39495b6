/** A CONNECT stream to another proxy as one end of an opaque connection. It joins a pipe once the other proxy agreed. */
import type {
  ClientConnection,
  ClientStream,
  OutgoingRequest,
  ResponseHead,
  ResponseSink,
} from "../http/exchange.ts";
import type { Outcome } from "../model/outcome.ts";
import { PipeEnd } from "./pipe.ts";

/** Hears what the other proxy says. Exactly one of the two is called. */
export interface StreamOpening {
  answered(head: ResponseHead): void;
  failed(outcome: Outcome): void;
}

export class StreamEnd extends PipeEnd implements ResponseSink {
  readonly #stream: ClientStream;
  #opening: StreamOpening | null;
  #sent = false;
  #received = false;

  constructor(connection: ClientConnection, request: OutgoingRequest, opening: StreamOpening) {
    super();
    this.#opening = opening;
    this.#stream = connection.start(request, this);
  }

  /** Nobody wants it any more. */
  cancel(): void {
    this.#opening = null;
    this.#stream.cancel();
  }

  // ------------------------------------------------------------------------------------------ as an end

  begin(): void {
    this.#stream.resume();
  }

  take(chunk: Uint8Array): boolean {
    return this.#stream.write(chunk);
  }

  finish(): void {
    if (this.#sent) return;
    this.#sent = true;
    this.#stream.end(null);
    if (this.#received) this.gone(null);
  }

  reset(): void {
    if (this.closed) return;
    this.#stream.cancel();
    this.gone(null);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  // ------------------------------------------------------------------------------------- the answer's sink

  informational(): void {}

  head(head: ResponseHead): void {
    const opening = this.#opening;
    this.#opening = null;
    opening?.answered(head);
  }

  data(chunk: Uint8Array): void {
    this.received(chunk);
  }

  end(): void {
    this.#received = true;
    this.receivedAll();
    if (this.#sent) this.gone(null);
  }

  failed(outcome: Outcome): void {
    const opening = this.#opening;
    this.#opening = null;
    if (opening !== null) opening.failed(outcome);
    else this.gone(outcome);
  }

  writable(): void {
    this.hasRoom();
  }
}
