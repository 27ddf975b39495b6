/** One request on its way through its policies, one after the other: those that may decide about it are asked, all edits are kept. */
import { limits } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import { serviceKey, type ServiceName } from "../model/service.ts";
import type { PolicyBinding } from "../model/snapshot.ts";
import type { PolicyFailure, PolicyRecord } from "../telemetry/record.ts";
import { mergeEdits, noEdits, type FieldEdits } from "../wire/fields.ts";
import type { NormalTarget } from "../wire/target.ts";
import { askPolicy, failsOpen, isAskedAt, policyRecord, type Around } from "./ask_policy.ts";
import type { Said } from "./heard.ts";
import { bodyWritten, isShown, wroteUnseen, type BodySeen } from "./bodies.ts";
import { bytesOf, type Rewritten } from "./decision.ts";
import { laterHooks } from "./later_hooks.ts";
import { serviceNamed } from "./named_services.ts";
import type { PolicyCall } from "./policy_call.ts";
import { laterSending, type Copied, type Sending } from "./sending.ts";
import type { PolicyVerdict, Reach, Sent } from "./verdict.ts";

interface Written extends Sending, Copied, Rewritten {
  readonly edits: FieldEdits;
  readonly target: NormalTarget | null;
}

/** Of a path that is told. */
const shownLength = 40;

function shownPath({ path }: NormalTarget): string {
  return `"${path.slice(0, shownLength)}"`;
}

export class Evaluation {
  #index = 0;
  #edits: FieldEdits = noEdits;
  #target: NormalTarget | null = null;
  #more: Sent & Rewritten = {};
  /** As those before left it. */
  #body: BodySeen | undefined;
  readonly #records: PolicyRecord[] = [];
  #askedMs = 0;

  constructor(
    private readonly around: Around,
    private readonly bindings: readonly PolicyBinding[],
    private readonly call: PolicyCall,
    private readonly done: (verdict: PolicyVerdict) => void,
    /** null: at the server's side, where nobody chooses a service. */
    private readonly reach: Reach | null,
  ) {
    this.#body = call.body;
  }

  ask(): void {
    const binding = this.bindings[this.#index];
    if (binding === undefined) {
      return this.#decided({
        do: "next",
        edits: this.#edits,
        target: this.#target,
        ...this.#more,
        ...this.#evaluated,
      });
    }
    if (!isAskedAt(binding, this.call.hook)) {
      this.#index++;
      return this.ask();
    }
    this.#askedMs = this.around.clock.now();
    const call = this.#body === this.call.body ? this.call : { ...this.call, body: this.#body };
    askPolicy(this.around, binding, call as PolicyCall, (said) => this.#take(binding, said));
  }

  #decided(verdict: PolicyVerdict): void {
    const ran = this.bindings.slice(0, this.#index + 1);
    const call = this.call.body === undefined ? this.call : withoutBody(this.call);
    const later = laterHooks(this.around, ran, call);
    this.done(later === null ? verdict : { ...verdict, later });
  }

  get #evaluated(): Pick<PolicyVerdict, "records"> {
    return { records: this.#records };
  }

  #take(binding: PolicyBinding, said: Said): void {
    switch (said.do) {
      case "failed":
        return this.#failed(binding, said.failure, said.reason);
      case "next": {
        const problem = this.#edit(binding, said, serviceKey(this.call.service));
        if (problem !== null) return this.#tripped(binding, problem);
        this.#record(binding, { action: "next" });
        this.#index++;
        return this.ask();
      }
      case "route":
        return this.#route(binding, said);
      case "respond":
        this.#record(binding, { action: "respond", said: String(said.status), reason: said.reason });
        return this.#decided({ ...said, policy: binding.name, ...this.#evaluated });
      default:
        return this.#tripped(binding, `it decided ${said.do} where it was not asked`);
    }
  }

  #route(binding: PolicyBinding, said: Extract<Said, { do: "route" }>): void {
    const called = this.call.service;
    const { subset } = said;
    if (this.reach === null)
      return this.#tripped(binding, "it routes at the server's side, where the request has arrived already");
    const service = serviceNamed(said.service, called.namespace);
    const key = serviceKey(service);
    if (!this.around.leadsTo(binding, called, key))
      return this.#tripped(binding, `it routes to "${said.service}", which its options do not name`);
    // Documents may have changed before this proxy heard of it: that is not held against the policy.
    if (!this.reach.has(key, subset)) {
      const what = subset === null ? key : `the subset "${subset}" of ${key}`;
      return this.#failed(binding, "invalid", `it routes to ${what}, which is not known here`);
    }
    const problem = this.#edit(binding, said, key);
    if (problem !== null) return this.#tripped(binding, problem);
    const shown = subset === null ? said.service : `${said.service}/${subset}`;
    this.#record(binding, { action: "route", said: shown });
    const where = { policy: binding.name, service, subset };
    this.#decided({
      do: "route",
      ...where,
      edits: this.#edits,
      target: this.#target,
      ...this.#more,
      ...this.#evaluated,
    });
  }

  /** Null, or why nothing was changed: the service that the request is for would not take what is written. */
  #edit(binding: PolicyBinding, written: Written, service: string): string | null {
    const { edits, target, json, mirror } = written;
    const read = target === null || this.reach === null ? target : this.reach.read(service, target);
    if (target !== null && read === null) return `${service} takes no path like ${shownPath(target)}`;
    const merged = mergeEdits(this.#edits, edits);
    if (merged !== edits && bytesOf(merged) > limits.policyHeadBytesMax)
      return `with those before it, it writes more than ${limits.policyHeadBytesMax} bytes of header fields`;
    const copies = mirror === undefined ? null : this.#copiesWith(binding, mirror);
    if (typeof copies === "string") return copies;
    if (json !== undefined) {
      if (!isShown({ ...this.call, body: this.#body }, binding)) return wroteUnseen;
      this.#body = bodyWritten(json);
      this.#more = { ...this.#more, json };
    }
    this.#edits = merged;
    if (copies !== null) this.#more = { ...this.#more, mirrors: copies };
    this.#more = laterSending(this.#more, written);
    this.#target = read ?? this.#target;
    return null;
  }

  /** Those of before and this one; or why it is none. One that is not known here gets no copy, which is no reason to fail a request. */
  #copiesWith(binding: PolicyBinding, mirror: string): readonly ServiceName[] | string {
    const before = this.#more.mirrors ?? [];
    if (this.reach === null) return "it mirrors at the server's side, where the request has arrived already";
    const called = this.call.service;
    const service = serviceNamed(mirror, called.namespace);
    const key = serviceKey(service);
    if (!this.around.leadsTo(binding, called, key))
      return `it mirrors to "${mirror}", which its options do not name`;
    const known = before.some((each) => serviceKey(each) === key);
    return known || !this.reach.has(key, null) ? before : [...before, service];
  }

  /** A decision that is none here. */
  #tripped(binding: PolicyBinding, reason: string): void {
    this.around.host.trip(binding.hash, reason);
    this.#failed(binding, "invalid", reason);
  }

  /** Its caller learns which policy it was and nothing of what is inside. */
  #failed(binding: PolicyBinding, failure: PolicyFailure, reason: string): void {
    this.#record(binding, { action: "error", failure, reason });
    if (failsOpen(this.around, binding)) {
      this.#index++;
      return this.ask();
    }
    const outcome = failedClosed(binding, this.call);
    this.#decided({ do: "error", outcome, ...this.#evaluated });
  }

  #record(binding: PolicyBinding, what: Pick<PolicyRecord, "action"> & Partial<PolicyRecord>): void {
    this.#records.push(policyRecord(this.around, binding, this.call.hook, this.#askedMs, what));
  }
}

/** Nobody sees it again, and the exchange may go on for long. */
function withoutBody({ body: _seen, ...call }: PolicyCall): PolicyCall {
  return call;
}

function failedClosed({ name }: PolicyBinding, { service }: PolicyCall): Outcome {
  const detail = `the policy "${name}" of ${serviceKey(service)} failed and lets nothing through`;
  return { flag: "PE", side: "policy", repeat: "yes", status: 503, detail };
}
