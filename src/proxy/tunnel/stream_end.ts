/** A CONNECT stream to another proxy as one end of an opaque connection. It joins a pipe once the other proxy agreed. */
import type {
  ClientConnection,
  ClientStream,
  OutgoingRequest,
  ResponseHead,
  ResponseSink,
} from "../../http/exchange.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { FieldEdits } from "../../wire/fields.ts";
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

  constructor(
    connection: ClientConnection,
    request: OutgoingRequest,
    edits: FieldEdits,
    opening: StreamOpening,
  ) {
    super();
    this.#opening = opening;
    this.#stream = connection.start(request, edits, this);
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

  take(bytes: Uint8Array, start: number, end: number): boolean {
    return this.#stream.write(bytes, start, end);
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

  data(bytes: Uint8Array, start: number, end: number): void {
    this.received(bytes, start, end);
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
