/** What the pipeline asks of policies, and what they answer. The host behind it is `policy_host.ts`. */
import type { Outcome } from "../model/outcome.ts";
import type { PolicyBinding } from "../model/snapshot.ts";
import type { PolicyRecord } from "../telemetry/record.ts";
import type { FieldEdits, Fields } from "../wire/fields.ts";

export interface PolicyCall {
  readonly method: string;
  readonly authority: string;
  readonly target: string;
  readonly fields: Fields;
  readonly sourceId: string;
  readonly source: string;
  readonly service: string;
  readonly requestId: string;
}

export type PolicyVerdict =
  | { readonly do: "next"; readonly edits: FieldEdits; readonly records: PolicyRecord[] }
  | {
      readonly do: "route";
      readonly service: string;
      readonly subset: string | null;
      readonly edits: FieldEdits;
      readonly records: PolicyRecord[];
    }
  | {
      readonly do: "respond";
      readonly status: number;
      /** name, value, name, value … */
      readonly headers: readonly string[];
      readonly body: string;
      readonly reason: string;
      readonly records: PolicyRecord[];
    }
  | { readonly do: "error"; readonly outcome: Outcome; readonly records: PolicyRecord[] };

export interface PolicyChain {
  /** Asks the policies in order; `done` is called once, later or from inside. */
  evaluate(
    bindings: readonly PolicyBinding[],
    call: PolicyCall,
    done: (verdict: PolicyVerdict) => void,
  ): void;
}
