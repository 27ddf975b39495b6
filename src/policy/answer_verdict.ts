/** What policies decided of an answer, or answered themselves. Everything in it was validated. */
import type { Outcome } from "../model/outcome.ts";
import type { FieldEdits } from "../wire/fields.ts";

/** An answer of the policy of this name, in the place of the service. */
export interface GivenAnswer {
  readonly do: "respond";
  readonly policy: string;
  readonly status: number;
  readonly headers: FieldEdits;
  readonly body: string;
}

/** What the policies that see an answer decided of it. */
export type AnswerVerdict =
  | { readonly do: "next"; readonly edits: FieldEdits }
  | GivenAnswer
  | { readonly do: "error"; readonly outcome: Outcome };
