/** Policies on behalf of shards: each name has one sealed process, which the keeper asks for all of them. */
import { limits } from "../../model/limits.ts";
import { bindingsIn, type PolicyBinding } from "../../model/snapshot.ts";
import type { PolicyCall } from "../../policy/policy_call.ts";
import type { PolicyHost } from "../../policy/policy_host.ts";
import type { BindingRef, CallMessage, FromShard, NumberedSnapshot } from "./messages.ts";
import type { ShardProcess } from "./shard_process.ts";

type Call = Extract<FromShard, { kind: "policy-call" }>;

export class PolicyCalls {
  /** By the number of the snapshot. */
  readonly #bindings = new Map<number, readonly PolicyBinding[]>();

  /** `held`: what streams of shards will ask again. */
  constructor(
    readonly host: Pick<PolicyHost, "evaluate" | "trip">,
    readonly held: () => readonly BindingRef[],
  ) {}

  /** Those bindings. */
  heldBindings(): PolicyBinding[] {
    return this.held().flatMap(({ snapshot, at }) => this.#bindings.get(snapshot)?.[at] ?? []);
  }

  /** Before a shard goes by it. */
  know({ number, snapshot }: NumberedSnapshot): void {
    this.#bindings.set(number, bindingsIn(snapshot));
    const held = new Set(this.held().map((each) => each.snapshot));
    for (const old of [...this.#bindings.keys()].slice(0, -limits.shardSnapshotsKept))
      if (!held.has(old)) this.#bindings.delete(old);
  }

  take(shard: ShardProcess, { call, binding: { snapshot, at }, asked }: Call): void {
    const binding = this.#bindings.get(snapshot)?.[at];
    if (binding === undefined) {
      const answer = { ok: false, reason: "its snapshot is too old", us: 0 } as const;
      return shard.send({ kind: "policy-answer", call, answer });
    }
    this.host.evaluate(binding, callOf(asked, shard.pid), (answer, atMs) =>
      shard.send({ kind: "policy-answer", call, answer, ...(atMs === undefined ? {} : { atMs }) }),
    );
  }

  trip({ hash, reason }: Extract<FromShard, { kind: "policy-trip" }>): void {
    this.host.trip(hash, reason);
  }
}

/** Each shard counts its exchanges for itself. */
function callOf({ fields, exchange, ...rest }: CallMessage, pid: number): PolicyCall {
  const [nameAt, valueAt] = [(at: number) => fields[2 * at] ?? "", (at: number) => fields[2 * at + 1] ?? ""];
  const known = exchange === undefined ? rest : { ...rest, exchange: `${pid} ${exchange}` };
  return { ...known, fields: { count: fields.length / 2, nameAt, valueAt } };
}
