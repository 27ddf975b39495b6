/** Whoever has the attempts of an HTTP exchange made, and hears what becomes of them. */
import type { ResponseHead } from "../../http/exchange.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { FieldEdits } from "../../wire/fields.ts";
import type { LiveEndpoint } from "../state/live_service.ts";
import type { CallHere, CallSink } from "./call_sink.ts";

/** The exchange. Exactly one of `unanswered` and `answered` is called, at the end. */
export interface HttpAttemptsOwner<Attempts> {
  /** Whether the other proxy has to be told which client this is. */
  readonly tellsFlow: boolean;
  /** A call to an endpoint of this machine, which tells `sink`. */
  callHere(here: NonNullable<LiveEndpoint["here"]>, edits: FieldEdits, sink: CallSink): CallHere;
  /** Whether policies look at such an answer of the service, and `settleDoubt` follows. */
  doubts(head: ResponseHead): boolean;
  /** The answer that counts began. `failure`: it is the other proxy's own, and says what failed. */
  answers(head: ResponseHead, failure: Outcome | null, nowMs: number): void;
  /** The time of its caller is over, and nothing of it was sent. */
  ranOut(): void;
  /** Of two that were under way at the same time this one goes on. */
  goesOn(attempts: Attempts): void;
  /** One began so long ago, and may take `perTryMs`. */
  began(perTryMs: number, agoMs: number): void;
  /** No attempt was answered. */
  unanswered(outcome: Outcome): void;
  /** Whether somebody else is asked where an answer failed so. */
  fallsBackOn(outcome: Outcome): boolean;
  /** The answer that began is over; it broke when there is an outcome. */
  answered(outcome: Outcome | null): void;
}
