/**
 * Instances as leases: each is the key `instances/<id>` on a lease of its own. Saying the same again renews the lease and
 * nothing else: no revision, no news for watchers.
 */
import { registryKeys, type RegisterAnswer } from "../api/messages.ts";
import { Refusal } from "../api/problem.ts";
import { serviceKey, type Instance, type Node, type ServiceName } from "../model/service.ts";
import type { InstanceRoom } from "./instance_room.ts";
import type { Condition, Store } from "./store.ts";

/** Who registers what. */
export interface Registering {
  readonly caller: ServiceName;
  readonly instance: Instance;
  readonly ttlMs: number;
}

export async function register(
  store: Store,
  room: InstanceRoom,
  { caller, instance, ttlMs }: Registering,
): Promise<RegisterAnswer> {
  requireOwn(caller, instance);
  const member = requireMember(store, instance);
  const lease = leaseOf(instance.id);
  const key = registryKeys.instances + instance.id;
  const value = JSON.stringify(instance);
  if (store.get(key)?.value === value) await store.lease(lease, ttlMs);
  // Also when it ended while its lease was renewed.
  if (store.get(key)?.value !== value) await put(store, room, { instance, key, value, lease, ttlMs, member });
  return { revision: store.revision(), ttlMs };
}

interface Put {
  readonly instance: Instance;
  readonly key: string;
  readonly value: string;
  readonly lease: string;
  readonly ttlMs: number;
  /** That its machine is still a member, as it was read. */
  readonly member: Condition;
}

async function put(store: Store, room: InstanceRoom, what: Put): Promise<void> {
  const { instance, key, value, lease, ttlMs, member } = what;
  room.take(instance);
  try {
    await store.lease(lease, ttlMs);
    const result = await store.commit([member], [{ do: "put", key, value, lease }]);
    if (result.ok) return;
    const what =
      result.reason === "conflict" ? `The machine ${instance.node} was changed` : "The lease ended";
    throw new Refusal(503, `${what} while it was registered: try again`);
  } catch (error) {
    room.forget(instance);
    throw error;
  }
}

/** Nobody has to wait for the lease to end. What is not registered is taken back already. */
export async function deregister(store: Store, caller: ServiceName, id: string): Promise<number> {
  const entry = store.get(registryKeys.instances + id);
  if (entry !== null) {
    requireOwn(caller, JSON.parse(entry.value) as Instance);
    await store.revoke(leaseOf(id));
  }
  return store.revision();
}

function leaseOf(instanceId: string): string {
  return `instance:${instanceId}`;
}

/** An instance belongs to the service whose certificate puts it, and its id says where it runs. */
function requireOwn(caller: ServiceName, instance: Instance): void {
  const own = serviceKey(caller);
  if (serviceKey(instance.service) !== own)
    throw new Refusal(403, `${own} cannot register an instance of ${serviceKey(instance.service)}`);
  const prefix = `${instance.node}/${own}/`;
  if (!instance.id.startsWith(prefix) || !/^[1-9]\d{0,4}$/.test(instance.id.slice(prefix.length)))
    throw new Refusal(400, `Cannot register the instance "${instance.id}": expected ${prefix}<port>`);
}

/** An instance runs on a machine that may be its service. */
function requireMember(store: Store, instance: Instance): Condition {
  const entry = store.get(registryKeys.nodes + instance.node);
  const node = entry === null ? null : (JSON.parse(entry.value) as Node);
  if (node === null || node.removed)
    throw new Refusal(403, `The machine ${instance.node} is not part of this mesh, or no longer`);
  const key = serviceKey(instance.service);
  if (!node.services.some((each) => serviceKey(each) === key))
    throw new Refusal(403, `The machine ${instance.node} may not be the service ${key}`);
  return { key: registryKeys.nodes + instance.node, modified: entry?.modified ?? 0 };
}
