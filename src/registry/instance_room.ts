/**
 * How much of the registry each machine's instances take: whoever holds one certificate of a service fills neither the mesh
 * nor the share of its neighbours. Follows the store; what is being registered counts from before it is written.
 */
import { registryKeys } from "../api/messages.ts";
import { Refusal } from "../api/problem.ts";
import { limits } from "../model/limits.ts";
import { labelBytesOf, serviceKey, type Instance } from "../model/service.ts";
import { keyOf } from "./change_log.ts";
import type { Store } from "./store.ts";

/** What one instance takes. */
interface Taken {
  readonly service: string;
  readonly labelBytes: number;
}

export class InstanceRoom {
  /** By machine, then instance. */
  readonly #machines = new Map<string, Map<string, Taken>>();

  constructor(readonly store: Pick<Store, "range" | "watch" | "get">) {
    const { entries, revision } = store.range(registryKeys.instances);
    for (const { key, value } of entries) this.#set(key, value);
    store.watch(registryKeys.instances, revision, (changes) => {
      for (const change of changes)
        this.#set(keyOf(change), change.kind === "put" ? change.entry.value : null);
    });
  }

  /** Refuses what would be too much, else counts it. `forget` when it was not written. */
  take(instance: Instance): void {
    const { id, node, labels } = instance;
    const taken = { service: serviceKey(instance.service), labelBytes: labelBytesOf(labels) };
    const others = [...(this.#machines.get(node) ?? [])].flatMap(([known, each]) =>
      known === id ? [] : [each],
    );
    const alike = others.filter((each) => each.service === taken.service).length;
    const bytes = others.reduce((sum, each) => sum + each.labelBytes, taken.labelBytes);
    requireAtMost(id, alike + 1, "instancesPerServiceMax", `instances of ${taken.service} on ${node}`);
    requireAtMost(id, others.length + 1, "instancesPerNodeMax", `instances on ${node}`);
    requireAtMost(id, bytes, "labelBytesPerNodeMax", `bytes of labels on ${node}`);
    this.#put(node, id, taken);
  }

  /** What the store has counts, whatever was taken. */
  forget({ id }: Instance): void {
    const key = registryKeys.instances + id;
    this.#set(key, this.store.get(key)?.value ?? null);
  }

  #set(key: string, value: string | null): void {
    const id = key.slice(registryKeys.instances.length);
    const node = id.slice(0, id.indexOf("/"));
    if (value === null) this.#delete(node, id);
    else this.#put(node, id, takenBy(value));
  }

  #put(node: string, id: string, taken: Taken): void {
    const machine = this.#machines.get(node) ?? new Map<string, Taken>();
    this.#machines.set(node, machine.set(id, taken));
  }

  #delete(node: string, id: string): void {
    const machine = this.#machines.get(node);
    machine?.delete(id);
    if (machine?.size === 0) this.#machines.delete(node);
  }
}

/** What cannot be read stands all the same, and must not keep a registry from starting. */
function takenBy(value: string): Taken {
  try {
    const { service, labels } = JSON.parse(value) as Instance;
    return { service: serviceKey(service), labelBytes: labelBytesOf(labels) };
  } catch {
    return { service: "", labelBytes: 0 };
  }
}

type Bound = "instancesPerServiceMax" | "instancesPerNodeMax" | "labelBytesPerNodeMax";

function requireAtMost(id: string, found: number, bound: Bound, what: string): void {
  const most = limits[bound];
  if (found <= most) return;
  throw new Refusal(
    409,
    `Cannot register ${id}: with it there are ${found} ${what}, at most ${most} are allowed (${bound})`,
  );
}
