/**
 * The policies of an exchange: those of the mesh, of the service, of the route. The proxy hands over a request head and gets one
 * verdict (`evaluation.ts`); what that carries is asked of the rest of the exchange (`later_hooks.ts`). How policies run (a sealed
 * process, batched calls) is the business of `policy_host.ts`.
 */
import type { ServiceName } from "../model/service.ts";
import type { PolicyBinding } from "../model/snapshot.ts";
import type { NotesHeard } from "../telemetry/policy_notes.ts";
import { noEdits } from "../wire/fields.ts";
import type { Around, PolicyListener } from "./ask_policy.ts";
import { Evaluation } from "./evaluation.ts";
import { SharedCounters } from "./shared_counters.ts";
import { Trials } from "./trials.ts";
import { servicesNamedIn } from "./named_services.ts";
import type { PolicyCall } from "./policy_call.ts";
import type { PolicyVerdict, Reach } from "./verdict.ts";

export interface PolicyChain {
  /**
   * Calls `done` exactly once: inside the call when nothing is to be asked (no bindings), else later. The verdict of a
   * request that has gone meanwhile is delivered all the same. `reach`: null at the server's side.
   */
  evaluate(
    bindings: readonly PolicyBinding[],
    call: PolicyCall,
    done: (verdict: PolicyVerdict) => void,
    reach: Reach | null,
  ): void;
  /** Somebody wants to see every request, also one that no policy is asked about. Absent: nobody does. */
  readonly listened?: boolean;
}

export interface HeldChain extends PolicyChain {
  /** Until what it returns is called. */
  listen(listener: PolicyListener): () => void;
  /** What exchanges under way will ask again, with how many of them. */
  readonly held: ReadonlyMap<PolicyBinding, number>;
  /** Its slices are asked for and given here. */
  readonly shared: SharedCounters;
  /** Versions that are tried. */
  readonly trials: Trials;
}

const untouched: PolicyVerdict = { do: "next", edits: noEdits, target: null, records: [] };

/** The chain over a policy host. `noted` hears what policies note beside their answers. */
export function createPolicyChain(
  host: Around["host"],
  clock: Around["clock"],
  noted: NotesHeard = () => {},
  /** Name of this machine. */
  node = "",
  shared: SharedCounters = new SharedCounters(() => clock.now()),
): HeldChain {
  const trials = new Trials(node);
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
  const held = new Map<PolicyBinding, number>();
  let exchanges = 0;
  const listeners = new Set<PolicyListener>();
  const around = { host, clock, leadsTo, noted, held, listeners, shared, trials };
  return {
    held,
    shared,
    trials,
    get listened() {
      return listeners.size > 0;
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    evaluate(bindings, call, done, reach) {
      if (bindings.length === 0 && listeners.size === 0) return done(untouched);
      const known = { ...call, exchange: `${++exchanges}` };
      for (const listener of listeners) listener.request(known);
      if (bindings.length === 0) return done(untouched);
      new Evaluation(around, trials.chosen(bindings, known.requestId), known, done, reach).ask();
    },
  };
}
