/**
 * The policies of one request, in order: those of the service, then those of the route. The proxy hands over a request
 * head and gets one verdict; how policies run (a sealed process, batched calls) is the business of `policy_host.ts`.
 */
import type { Clock } from "../../runtime/contract.ts";
import type { Outcome } from "../model/outcome.ts";
import { serviceKey, type ServiceName } from "../model/service.ts";
import type { PolicyBinding } from "../model/snapshot.ts";
import type { PolicyRecord } from "../telemetry/record.ts";
import { noEdits, type FieldEdits } from "../wire/fields.ts";
import { checkDecision, mergeEdits, type CheckedDecision } from "./decision.ts";
import type { PolicyAnswer, PolicyCall } from "./policy_call.ts";
import type { PolicyHost } from "./policy_host.ts";

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
    /** A policy that fails closed failed. */
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

const untouched: PolicyVerdict = { do: "next", edits: noEdits, target: null, records: [] };

/** The chain over a policy host. */
export function createPolicyChain(
  host: Pick<PolicyHost, "evaluate" | "refOf" | "trip">,
  clock: Pick<Clock, "now">,
): PolicyChain {
  return {
    evaluate(bindings, call, done) {
      if (bindings.length === 0) return done(untouched);
      new Evaluation(host, clock, bindings, call, done).ask();
    },
  };
}

const hook = "onRequest";

/** One request on its way through its policies. */
class Evaluation {
  #index = 0;
  #edits: FieldEdits = noEdits;
  #target: string | null = null;
  readonly #records: PolicyRecord[] = [];
  #askedMs = 0;

  constructor(
    private readonly host: Pick<PolicyHost, "evaluate" | "refOf" | "trip">,
    private readonly clock: Pick<Clock, "now">,
    private readonly bindings: readonly PolicyBinding[],
    private readonly call: PolicyCall,
    private readonly done: (verdict: PolicyVerdict) => void,
  ) {}

  ask(): void {
    const binding = this.bindings[this.#index];
    if (binding === undefined) {
      return this.done({ do: "next", edits: this.#edits, target: this.#target, records: this.#records });
    }
    this.#askedMs = this.clock.now();
    this.host.evaluate(binding, this.call, (answer) => this.#take(binding, answer));
  }

  #take(binding: PolicyBinding, answer: PolicyAnswer): void {
    const decision: CheckedDecision = answer.ok
      ? checkDecision(answer.decision)
      : { do: "fail", reason: answer.reason };
    this.#record(binding, decision);
    switch (decision.do) {
      case "fail":
        if (answer.ok) this.host.trip(binding.hash, decision.reason);
        return this.#failed(binding, decision.reason);
      case "next":
        this.#edit(decision);
        this.#index++;
        return this.ask();
      case "route":
        this.#edit(decision);
        return this.done({
          do: "route",
          service: nameIn(this.call.service, decision.service),
          subset: decision.subset,
          edits: this.#edits,
          target: this.#target,
          records: this.#records,
        });
      case "respond":
        return this.done({ ...decision, records: this.#records });
    }
  }

  #edit(decision: { readonly edits: FieldEdits; readonly target: string | null }): void {
    this.#edits = mergeEdits(this.#edits, decision.edits);
    this.#target = decision.target ?? this.#target;
  }

  /** A policy that is not known here fails closed: nobody can say that it may be left out. */
  #failed(binding: PolicyBinding, reason: string): void {
    if (this.host.refOf(binding.hash)?.onError === "open") {
      this.#index++;
      return this.ask();
    }
    const detail = `Policy "${binding.name}" of ${serviceKey(this.call.service)} failed and lets nothing through: ${reason}`;
    const outcome: Outcome = { flag: "PE", side: "policy", repeat: "yes", status: 503, detail };
    this.done({ do: "error", outcome, records: this.#records });
  }

  #record(binding: PolicyBinding, decision: CheckedDecision): void {
    this.#records.push({
      name: binding.name,
      hash: binding.hash,
      hook,
      decision: summaryOf(decision),
      us: Math.round((this.clock.now() - this.#askedMs) * 1000),
    });
  }
}

function summaryOf(decision: CheckedDecision): string {
  switch (decision.do) {
    case "next":
      return "next";
    case "route":
      return `route ${decision.service}${decision.subset === null ? "" : `/${decision.subset}`}`;
    case "respond":
      return `respond ${decision.status}`;
    case "fail":
      return `error ${decision.reason}`;
  }
}

/** `inference` in the namespace of the service that was called, or `inference.other`. */
function nameIn(called: ServiceName, written: string): ServiceName {
  const dot = written.indexOf(".");
  if (dot < 0) return { name: written, namespace: called.namespace };
  return { name: written.slice(0, dot), namespace: written.slice(dot + 1) };
}
