/** The policies of a shard: it asks its keeper, which has the one sealed process of each. */
import { limits } from "../../model/limits.ts";
import { bindingsIn, type PolicyBinding, type PolicyRef } from "../../model/snapshot.ts";
import { flatten, type Answer, type PolicyAnswer, type PolicyCall } from "../../policy/policy_call.ts";
import type { PolicyHost } from "../../policy/policy_host.ts";
import type { BindingRef, CallMessage, FromShard, NumberedSnapshot } from "./messages.ts";

export interface RemotePoliciesOptions {
  readonly send: (message: FromShard) => void;
  /** What the keeper has not taken yet. */
  readonly backlogBytes: () => number;
  readonly microtask: (call: () => void) => void;
}

export class RemotePolicies implements Pick<PolicyHost, "evaluate" | "refOf" | "trip"> {
  readonly #bindings = new WeakMap<PolicyBinding, BindingRef>();
  /** Those of the newest snapshots, the newest last. */
  readonly #recent: (readonly PolicyRef[])[] = [];
  readonly #waiting = new Map<number, Answer>();
  #refs: ReadonlyMap<string, PolicyRef> = new Map();
  #calls = 0;

  constructor(readonly options: RemotePoliciesOptions) {}

  refsOf(bindings: Iterable<PolicyBinding>): BindingRef[] {
    return [...bindings].flatMap((binding) => this.#bindings.get(binding) ?? []);
  }

  /** Its policies may be asked from now on. `held`: what streams under way will ask again. */
  know({ number, snapshot }: NumberedSnapshot, held: Iterable<PolicyBinding>): void {
    bindingsIn(snapshot).forEach((binding, at) => this.#bindings.set(binding, { snapshot: number, at }));
    this.#recent.push(snapshot.policies);
    if (this.#recent.length > limits.shardSnapshotsKept) this.#recent.shift();
    const refs = this.#recent.flat();
    for (const { hash } of held) refs.push(...[this.#refs.get(hash)].filter((ref) => ref !== undefined));
    this.#refs = new Map(refs.map((ref) => [ref.hash, ref]));
  }

  refOf(hash: string): PolicyRef | null {
    return this.#refs.get(hash) ?? null;
  }

  trip(hash: string, reason: string): void {
    this.options.send({ kind: "policy-trip", hash, reason });
  }

  evaluate(binding: PolicyBinding, call: PolicyCall, answer: Answer): void {
    const { send, backlogBytes, microtask } = this.options;
    const ref = this.#bindings.get(binding);
    if (ref === undefined || backlogBytes() > limits.policyBacklogBytesMax) {
      const reason = ref === undefined ? "it is not known here" : "too many calls wait for it";
      return microtask(() => answer({ ok: false, reason, us: 0 }));
    }
    const number = ++this.#calls;
    this.#waiting.set(number, answer);
    const {
      hook,
      method,
      authority,
      target,
      sourceId,
      service,
      requestId,
      exchange,
      deadlineMs,
      address,
      about,
      body,
      resumes,
    } = call;
    const asked: CallMessage = {
      ...{ hook, method, authority, target, sourceId, service, requestId, fields: flatten(call.fields) },
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      ...(address === undefined ? {} : { address }),
      ...(about === undefined ? {} : { about }),
      ...(body === undefined ? {} : { body }),
      ...(exchange === undefined ? {} : { exchange }),
      ...(resumes === undefined ? {} : { resumes }),
    };
    send({ kind: "policy-call", call: number, binding: ref, asked });
  }

  answered(call: number, answer: PolicyAnswer, atMs?: number): void {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    waiting?.(answer, atMs);
  }
}
