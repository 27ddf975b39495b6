/** Asks one policy at one point of an exchange. What it says is checked, what it noted is told, and what is wrong counts against it. */
import type { Clock } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import type { ServiceName } from "../model/service.ts";
import type { PolicyBinding } from "../model/snapshot.ts";
import type { NotesHeard, PolicyNote } from "../telemetry/policy_notes.ts";
import type { PolicyRecord } from "../telemetry/record.ts";
import { bodyFor } from "./bodies.ts";
import { checkDecision } from "./decision.ts";
import type { Said } from "./heard.ts";
import { letsIn, type Hook } from "./hooks.ts";
import { noFields } from "../wire/head_fields.ts";
import { notesIn } from "./notes.ts";
import type { SharedCounters } from "./shared_counters.ts";
import { Waited } from "./waited.ts";
import { forgotten } from "./waits.ts";
import type { PolicyCall } from "./policy_call.ts";
import type { PolicyHost } from "./policy_host.ts";
import type { Trials } from "./trials.ts";

/** What the policies of all exchanges share. */
export interface Around {
  readonly host: Pick<PolicyHost, "evaluate" | "refOf" | "trip">;
  readonly clock: Pick<Clock, "now">;
  /** Whether the options of the binding name the service of this key. */
  readonly leadsTo: (binding: PolicyBinding, called: ServiceName, key: string) => boolean;
  readonly noted: NotesHeard;
  /** Counters of the whole mesh. */
  readonly shared: SharedCounters;
  readonly listeners: ReadonlySet<PolicyListener>;
  readonly trials: Pick<Trials, "shadowed" | "took">;
  /** How many exchanges will ask each again: it must stay, whatever snapshot is in force. */
  readonly held: Map<PolicyBinding, number>;
}

/** Who watches what policies are asked and say, besides those whom it concerns: recordings do. */
export interface PolicyListener {
  /** A request of this service comes to its policies, also where it has none. What it is about must be read inside the call. */
  request(call: PolicyCall): void;
  /** A policy said this of a request that came before, or of what came of it. `atMs`: by its own clock; null: it did not answer. */
  asked(binding: PolicyBinding, call: PolicyCall, said: Said, atMs: number | null): void;
  /** What a policy noted beside its answer. Absent: that is of no interest. */
  noted?(binding: PolicyBinding, call: PolicyCall, notes: readonly PolicyNote[]): void;
}

export function askPolicy(
  around: Around,
  binding: PolicyBinding,
  asked: PolicyCall,
  told: (said: Said) => void,
): void {
  const shadow = askShadow(around, binding, asked);
  const call = shownTo(binding, asked);
  putTo(around, binding, call, null, (said, atMs) => {
    for (const listener of around.listeners) listener.asked(binding, call, said, atMs);
    shadow?.(said);
    told(said);
  });
}

/** A body is for those that ask for it. */
function shownTo(binding: PolicyBinding, call: PolicyCall): PolicyCall {
  if (call.body === undefined) return call;
  const { body: all, ...rest } = call;
  const body = bodyFor(all, call.hook, binding);
  return body === undefined ? rest : { ...rest, body };
}

const asksTooMuch = `it goes on to ask after ${limits.policyWantsMax} things (policyWantsMax)`;

/** `waited`: what it was given before to go on with. `heard` learns when it said so by its own clock; null: it did not answer. */
function putTo(
  around: Around,
  binding: PolicyBinding,
  call: PolicyCall,
  waited: Waited | null,
  heard: (said: Said, atMs: number | null) => void,
): void {
  const { host, noted } = around;
  host.evaluate(binding, call, (answer, saidMs, by = binding) => {
    if (!answer.ok) return heard({ do: "failed", failure: "unanswered", reason: answer.reason }, null);
    const atMs = saidMs ?? null;
    around.trials.took(by, answer.us);
    const notes = notesIn(answer.decision);
    if (notes.length > 0) {
      noted(binding.name, call.requestId, notes);
      for (const listener of around.listeners) listener.noted?.(binding, call, notes);
    }
    const decision = checkDecision(answer.decision, call.hook);
    if (decision.do === "wait") {
      const before = waited ?? new Waited(around, by, call);
      if (before.over) {
        host.trip(by.hash, asksTooMuch);
        return heard({ do: "failed", failure: "invalid", reason: asksTooMuch }, atMs);
      }
      return before.find(decision, (about) => {
        const { ticket: resumes } = decision;
        const { body: _seen, ...rest } = call;
        putTo(around, by, { ...rest, fields: noFields, about, resumes }, before, heard);
      });
    }
    if (decision.do !== "fail" && decision.do !== "invalid") return heard(decision, atMs);
    const { reason } = decision;
    // What it waited for did not come, or nobody knows any more who waits: no fault of its code.
    if (decision.do === "fail" && waited !== null && (waited.failed || reason === forgotten))
      return heard({ do: "failed", failure: "unanswered", reason }, atMs);
    // A failure that its host cannot see.
    host.trip(by.hash, reason);
    heard({ do: "failed", failure: decision.do === "fail" ? "throw" : "invalid", reason }, atMs);
  });
}

/**
 * Asks the version that is tried as a shadow the same, if there is one. What is returned hears what the one in force said; whoever is
 * second, both are compared then. Nothing else becomes of what a shadow says, and its own failures count against itself.
 */
function askShadow(
  { host, trials }: Pick<Around, "host" | "trials">,
  { candidate }: PolicyBinding,
  call: PolicyCall,
): ((said: Said) => void) | null {
  if (candidate?.mode !== "shadow" || !isAskedAt(candidate.binding, call.hook)) return null;
  const { binding } = candidate;
  let inForce: Said | null = null;
  let itself: Said | null = null;
  const compare = (): void => {
    if (inForce !== null && itself !== null) trials.shadowed(binding, inForce, itself);
  };
  host.evaluate(binding, shownTo(binding, call), (answer) => {
    const decision = answer.ok ? checkDecision(answer.decision, call.hook) : null;
    if (decision === null)
      itself = { do: "failed", failure: "unanswered", reason: answer.ok ? "" : answer.reason };
    else if (decision.do === "fail" || decision.do === "invalid") {
      host.trip(binding.hash, decision.reason);
      itself = {
        do: "failed",
        failure: decision.do === "fail" ? "throw" : "invalid",
        reason: decision.reason,
      };
    } else if (decision.do === "wait")
      itself = {
        do: "failed",
        failure: "unanswered",
        reason: "it waits for others, and a shadow asks nobody",
      };
    else itself = decision;
    compare();
  });
  return (said) => {
    inForce = said;
    compare();
  };
}

/** `askedMs`: when it was asked. */
export function policyRecord(
  { clock }: Around,
  { name, hash }: PolicyBinding,
  hook: Hook,
  askedMs: number,
  what: Pick<PolicyRecord, "action"> & Partial<PolicyRecord>,
): PolicyRecord {
  const { action, failure = null, said = "", reason = "" } = what;
  const us = Math.round((clock.now() - askedMs) * 1000);
  return { name, hash, hook, action, failure, said, reason, us };
}

/** Whether it says of itself that it is asked there. One that is gone, and has no hash, might have decided about connections, too. */
export function isAskedAt({ hash, hooks }: PolicyBinding, hook: Hook): boolean {
  if (hooks !== undefined) return hooks.includes(hook);
  return hook === "onRequest" || (hash === "" && letsIn.has(hook));
}

/** A policy that is not known here fails closed: nobody can say that it may be left out. */
export function failsOpen({ host }: Around, { hash }: PolicyBinding): boolean {
  return host.refOf(hash)?.onError === "open";
}
