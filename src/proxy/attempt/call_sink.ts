/** What attempts meet: calls inside of this process, what hears of answers, and answers that nobody gets. */
import type { Timer } from "../../../runtime/contract.ts";
import type { ClientStream, ResponseSink } from "../../http/exchange.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { Fields } from "../../wire/fields.ts";
import type { FailedAnswer } from "./attempts.ts";

/** A call inside of this process, as whoever started it sees it. */
export interface CallHere {
  /** Leads to `started` or `failed` of its sink, maybe from inside. */
  begin(): void;
  cancel(detail: string): void;
}

/** Takes the answer; hears first where the body of the request goes. Then either `failed` or the answer ends it. */
export interface CallSink extends ResponseSink {
  started(stream: ClientStream): void;
  /** Body bytes of the request so far. */
  readonly bytesSent: number;
}

/** What of an answer is asked of its object, and where the answer goes. */
export interface AttemptAnswer {
  readonly grpc: boolean;
  readonly begun: boolean;
  readonly maySilent: boolean;
  informational(status: number, fields: Fields): void;
  data(bytes: Uint8Array, start: number, end: number): boolean;
  end(trailers: Fields | null): void;
  abort(outcome: Outcome): void;
}

/** An answer that nobody gets, until its rest has come or is awaited no longer. */
export interface PassingBy {
  readonly outcome: Outcome;
  /** It is one of the service itself. */
  readonly answer: FailedAnswer | null;
  readonly delayMs: number;
  readonly sinceMs: number;
  readonly timer: Timer;
}
