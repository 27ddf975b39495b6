/** What policies decided of an answer, or answered themselves. Everything in it was validated. */
import type { Outcome } from "../model/outcome.ts";
import type { OtherStatus, Rewritten } from "./decision.ts";
import type { StreamEvent } from "../wire/event_stream.ts";
import type { FieldEdits } from "../wire/fields.ts";

/** An answer of the policy of this name, in the place of the service. */
export interface GivenAnswer {
  readonly do: "respond";
  readonly policy: string;
  readonly status: number;
  readonly headers: FieldEdits;
  readonly body: string;
}

/** What they decided of events of it: of each, in order, 0 for as it came, null for nothing. */
export type EventsVerdict =
  | { readonly do: "next"; readonly events: readonly (StreamEvent | 0 | null)[] }
  | { readonly do: "error"; readonly outcome: Outcome };

/** What the policies that see an answer decided of it. */
export type AnswerVerdict =
  | ({ readonly do: "next"; readonly edits: FieldEdits } & Rewritten & OtherStatus)
  | GivenAnswer
  | { readonly do: "error"; readonly outcome: Outcome };
