/**
 * The policies of one request, in order: those of the service, then those of the route. The proxy hands over a request
 * head and gets one verdict; how policies run (a sealed process, batched calls) is the business of `policy_host.ts`.
 */
import type { Clock } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import { serviceKey, type ServiceName } from "../model/service.ts";
import type { PolicyBinding } from "../model/snapshot.ts";
import type { PolicyFailure, PolicyRecord } from "../telemetry/record.ts";
import type { NotesHeard } from "../telemetry/policy_notes.ts";
import { noEdits, type FieldEdits } from "../wire/fields.ts";
import type { NormalTarget } from "../wire/target.ts";
import { bytesOf, checkDecision, mergeEdits, type CheckedDecision } from "./decision.ts";
import { serviceNamed, servicesNamedIn } from "./named_services.ts";
import { notesIn } from "./notes.ts";
import type { PolicyAnswer, PolicyCall } from "./policy_call.ts";
import type { PolicyHost } from "./policy_host.ts";

interface Evaluated {
  /** One per policy that ran, for the record of the exchange. */
  readonly records: readonly PolicyRecord[];
}

/** What the policies of a request decided together. Everything in it was validated; edits of earlier policies are merged in. */
export type PolicyVerdict = Evaluated &
  (
    | { readonly do: "next"; readonly edits: FieldEdits; readonly target: NormalTarget | null }
    | {
        readonly do: "route";
        /** Name of the policy. */
        readonly policy: string;
        readonly service: ServiceName;
        readonly subset: string | null;
        readonly edits: FieldEdits;
        /** Path and query to forward instead; null: as it came. */
        readonly target: NormalTarget | null;
      }
    | {
        readonly do: "respond";
        readonly policy: string;
        readonly status: number;
        readonly headers: FieldEdits;
        readonly body: string;
      }
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

export interface PolicyChain {
  /**
   * Calls `done` exactly once: inside the call when nothing is to be asked (no bindings), else later. The verdict of a
   * request that has gone meanwhile is delivered all the same.
   */
  evaluate(
    bindings: readonly PolicyBinding[],
    call: PolicyCall,
    done: (verdict: PolicyVerdict) => void,
    reach: Reach,
  ): void;
}

const untouched: PolicyVerdict = { do: "next", edits: noEdits, target: null, records: [] };

/** The chain over a policy host. `noted` hears what policies note beside their answers. */
export function createPolicyChain(
  host: Around["host"],
  clock: Around["clock"],
  noted: NotesHeard = () => {},
): PolicyChain {
  const named = new WeakMap<PolicyBinding, ReadonlySet<string>>();
  /** A binding belongs to one service or to a route of it, so the namespace is always the same. */
  const leadsTo = (binding: PolicyBinding, called: ServiceName, key: string): boolean => {
    let services = named.get(binding);
    if (services === undefined) {
      services = servicesNamedIn(binding.options, called.namespace);
      named.set(binding, services);
    }
    return services.has(key);
  };
  const around = { host, clock, leadsTo, noted };
  return {
    evaluate(bindings, call, done, reach) {
      if (bindings.length === 0) return done(untouched);
      new Evaluation(around, bindings, call, done, reach).ask();
    },
  };
}

interface Around {
  readonly host: Pick<PolicyHost, "evaluate" | "refOf" | "trip">;
  readonly clock: Pick<Clock, "now">;
  /** Whether the options of the binding name the service of this key. */
  readonly leadsTo: (binding: PolicyBinding, called: ServiceName, key: string) => boolean;
  readonly noted: NotesHeard;
}

interface Written {
  readonly edits: FieldEdits;
  readonly target: NormalTarget | null;
}

/** Of a path that is told. */
const shownLength = 40;

function shownPath({ path }: NormalTarget): string {
  return `"${path.slice(0, shownLength)}"`;
}

/** One request on its way through its policies. */
class Evaluation {
  #index = 0;
  #edits: FieldEdits = noEdits;
  #target: NormalTarget | null = null;
  readonly #records: PolicyRecord[] = [];
  #askedMs = 0;

  constructor(
    private readonly around: Around,
    private readonly bindings: readonly PolicyBinding[],
    private readonly call: PolicyCall,
    private readonly done: (verdict: PolicyVerdict) => void,
    private readonly reach: Reach,
  ) {}

  ask(): void {
    const binding = this.bindings[this.#index];
    if (binding === undefined) {
      return this.done({ do: "next", edits: this.#edits, target: this.#target, records: this.#records });
    }
    if (binding.hooks !== undefined && !binding.hooks.includes(this.call.hook)) {
      this.#index++;
      return this.ask();
    }
    const { host, clock } = this.around;
    this.#askedMs = clock.now();
    host.evaluate(binding, this.call, (answer) => this.#take(binding, answer));
  }

  #take(binding: PolicyBinding, answer: PolicyAnswer): void {
    if (!answer.ok) return this.#failed(binding, "unanswered", answer.reason);
    const notes = notesIn(answer.decision);
    if (notes.length > 0) this.around.noted(binding.name, this.call.requestId, notes);
    const decision = checkDecision(answer.decision, this.call.hook);
    switch (decision.do) {
      case "fail":
        return this.#tripped(binding, "throw", decision.reason);
      case "invalid":
        return this.#tripped(binding, "invalid", decision.reason);
      case "next": {
        const problem = this.#edit(decision, serviceKey(this.call.service));
        if (problem !== null) return this.#tripped(binding, "invalid", problem);
        this.#record(binding, { action: "next" });
        this.#index++;
        return this.ask();
      }
      case "route":
        return this.#route(binding, decision);
      case "respond":
        this.#record(binding, { action: "respond", said: String(decision.status), reason: decision.reason });
        return this.done({ ...decision, policy: binding.name, records: this.#records });
    }
  }

  #route(binding: PolicyBinding, decision: Extract<CheckedDecision, { do: "route" }>): void {
    const called = this.call.service;
    const { subset } = decision;
    const service = serviceNamed(decision.service, called.namespace);
    const key = serviceKey(service);
    if (!this.around.leadsTo(binding, called, key)) {
      const reason = `it routes to "${decision.service}", which its options do not name`;
      return this.#tripped(binding, "invalid", reason);
    }
    // Documents may have changed before this proxy heard of it: that is not held against the policy.
    if (!this.reach.has(key, subset)) {
      const what = subset === null ? key : `the subset "${subset}" of ${key}`;
      return this.#failed(binding, "invalid", `it routes to ${what}, which is not known here`);
    }
    const problem = this.#edit(decision, key);
    if (problem !== null) return this.#tripped(binding, "invalid", problem);
    const said = subset === null ? decision.service : `${decision.service}/${subset}`;
    this.#record(binding, { action: "route", said });
    this.done({
      do: "route",
      policy: binding.name,
      service,
      subset,
      edits: this.#edits,
      target: this.#target,
      records: this.#records,
    });
  }

  /** Null, or why nothing was changed: the service that the request is for would not take what is written. */
  #edit({ edits, target }: Written, service: string): string | null {
    const read = target === null ? null : this.reach.read(service, target);
    if (target !== null && read === null) return `${service} takes no path like ${shownPath(target)}`;
    const merged = mergeEdits(this.#edits, edits);
    if (merged !== edits && bytesOf(merged) > limits.policyHeadBytesMax)
      return `with those before it, it writes more than ${limits.policyHeadBytesMax} bytes of header fields`;
    this.#edits = merged;
    this.#target = read ?? this.#target;
    return null;
  }

  /** A failure that its host cannot see. */
  #tripped(binding: PolicyBinding, failure: PolicyFailure, reason: string): void {
    this.around.host.trip(binding.hash, reason);
    this.#failed(binding, failure, reason);
  }

  /**
   * A policy that is not known here fails closed: nobody can say that it may be left out. Its caller learns which policy it was
   * and nothing of what is inside.
   */
  #failed(binding: PolicyBinding, failure: PolicyFailure, reason: string): void {
    this.#record(binding, { action: "error", failure, reason });
    if (this.around.host.refOf(binding.hash)?.onError === "open") {
      this.#index++;
      return this.ask();
    }
    const detail = `the policy "${binding.name}" of ${serviceKey(this.call.service)} failed and lets nothing through`;
    const outcome: Outcome = { flag: "PE", side: "policy", repeat: "yes", status: 503, detail };
    this.done({ do: "error", outcome, records: this.#records });
  }

  #record(binding: PolicyBinding, what: Pick<PolicyRecord, "action"> & Partial<PolicyRecord>): void {
    const { action, failure = null, said = "", reason = "" } = what;
    const us = Math.round((this.around.clock.now() - this.#askedMs) * 1000);
    const { name, hash } = binding;
    const { hook } = this.call;
    this.#records.push({ name, hash, hook, action, failure, said, reason, us });
  }
}
