/**
 * The policies of one request, in order: those of the service, then those of the route. The proxy hands over a request
 * head and gets one verdict; how policies run (a sealed process, batched calls) is the business of `policy_host.ts`.
 */
import type { Outcome } from "../model/outcome.ts";
import type { ServiceName } from "../model/service.ts";
import type { PolicyBinding } from "../model/snapshot.ts";
import type { PolicyRecord } from "../telemetry/record.ts";
import type { FieldEdits, Fields } from "../wire/fields.ts";

/** What policies learn of a request. Read while `evaluate` runs and not kept. */
export interface PolicyCall {
  readonly method: string;
  /** Host and port that are meant, lower case. */
  readonly authority: string;
  /** Path and query, normalised. */
  readonly target: string;
  readonly fields: Fields;
  /** Verified SPIFFE ID of the caller; "" when there is none. */
  readonly sourceId: string;
  /** The service that was called. */
  readonly service: ServiceName;
  readonly requestId: string;
}

interface Evaluated {
  /** One per policy that ran, for the record of the exchange. */
  readonly records: readonly PolicyRecord[];
}

/** What the policies of a request decided together. Everything in it was validated; edits of earlier policies are merged in. */
export type PolicyVerdict = Evaluated &
  (
    | { readonly do: "next"; readonly edits: FieldEdits; readonly target: string | null }
    | {
        readonly do: "route";
        readonly service: ServiceName;
        readonly subset: string | null;
        readonly edits: FieldEdits;
        /** Path and query to forward instead; null: as it came. */
        readonly target: string | null;
      }
    | {
        readonly do: "respond";
        readonly status: number;
        readonly headers: FieldEdits;
        readonly body: string;
        /** For logs, never sent. */
        readonly reason: string;
      }
    /** A policy that fails closed failed (PE), or all of them are refused (PD). */
    | { readonly do: "error"; readonly outcome: Outcome }
  );

export interface PolicyChain {
  /**
   * Calls `done` exactly once: inside the call when nothing is to be asked (no bindings), else later. The verdict of a
   * request that has gone meanwhile is delivered all the same.
   */
  evaluate(
    bindings: readonly PolicyBinding[],
    call: PolicyCall,
    done: (verdict: PolicyVerdict) => void,
  ): void;
}
