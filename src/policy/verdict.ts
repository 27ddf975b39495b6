/** What the policies of an exchange decided together, and what the proxy tells them for it. Everything in a verdict was validated. */
import type { Outcome } from "../model/outcome.ts";
import type { ServiceName } from "../model/service.ts";
import type { PolicyRecord } from "../telemetry/record.ts";
import type { FieldEdits } from "../wire/fields.ts";
import type { NormalTarget } from "../wire/target.ts";
import type { GivenAnswer } from "./answer_verdict.ts";
import type { Rewritten } from "./decision.ts";
import type { LaterHooks } from "./later_hooks.ts";
import type { Sending } from "./sending.ts";

interface Evaluated {
  /** One per policy that ran, for the record of the exchange. */
  readonly records: readonly PolicyRecord[];
  /** What those that ran are asked about the rest of the exchange. Absent: nothing. */
  readonly later?: LaterHooks;
}

/** How the request is sent, in all. */
export interface Sent extends Sending {
  /** Services that get a copy of it, each once. Absent: none does. */
  readonly mirrors?: readonly ServiceName[];
}

/** What the policies of a request decided; edits of earlier policies are merged in. */
export type PolicyVerdict = Evaluated &
  (
    | ({ readonly do: "next"; readonly edits: FieldEdits; readonly target: NormalTarget | null } & Sent &
        Rewritten)
    | ({
        readonly do: "route";
        /** Name of the policy. */
        readonly policy: string;
        readonly service: ServiceName;
        readonly subset: string | null;
        readonly edits: FieldEdits;
        /** Path and query to forward instead; null: as it came. */
        readonly target: NormalTarget | null;
      } & Sent &
        Rewritten)
    | GivenAnswer
    /** A policy that fails closed failed. */
    | { readonly do: "error"; readonly outcome: Outcome }
  );

/** What the proxy knows of where decisions may lead. */
export interface Reach {
  /** Whether the service of this key, or that subset of it, can be called from here. */
  has(service: string, subset: string | null): boolean;
  /** The target as that service reads it; null when it takes none like it. Asked only of services that are there. */
  read(service: string, target: NormalTarget): NormalTarget | null;
}
