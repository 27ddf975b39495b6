/**
 * The registry's API: services put their own instances, controllers read, watch and commit everything. Identity is the
 * caller's certificate; nothing in a body can claim another.
 */
import { Hono } from "hono";
import * as v from "valibot";
import type { Clock } from "../../runtime/contract.ts";
import { readBody } from "../api/body.ts";
import { requireCaller, vouchForCaller, type ControlEnv } from "../api/caller.ts";
import { registryKeys, registryPaths, type RangeAnswer, type WatchLine } from "../api/messages.ts";
import { lineStream } from "../api/ndjson.ts";
import { problemResponse, Refusal } from "../api/problem.ts";
import { limits } from "../model/limits.ts";
import { serviceKey, type Instance, type Node } from "../model/service.ts";
import type { Change, Entry, Store } from "./store.ts";

const name = v.pipe(
  v.string(),
  v.regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, "expected a lower-case name"),
);
const portNumber = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65535));
const text = v.pipe(v.string(), v.maxLength(256));

const instanceSchema = v.strictObject({
  id: text,
  service: v.strictObject({ name, namespace: name }),
  node: name,
  address: text,
  port: portNumber,
  labels: v.record(text, text),
  ready: v.boolean(),
});

const registerSchema = v.strictObject({
  instance: instanceSchema,
  ttlMs: v.pipe(v.number(), v.minValue(1_000), v.maxValue(60_000)),
});

const key = v.pipe(v.string(), v.nonEmpty(), v.maxLength(limits.registryKeyBytesMax));
const commitSchema = v.strictObject({
  conditions: v.pipe(
    v.array(v.strictObject({ key, modified: v.number() })),
    v.maxLength(limits.documentsMax),
  ),
  operations: v.pipe(
    v.array(
      v.variant("do", [
        v.strictObject({
          do: v.literal("put"),
          key,
          value: v.pipe(v.string(), v.maxLength(limits.registryValueBytesMax)),
        }),
        v.strictObject({ do: v.literal("delete"), key }),
      ]),
    ),
    v.maxLength(limits.documentsMax),
  ),
});

export interface RegistryOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly trustDomain: string;
}

export function registryApp(options: RegistryOptions): Hono<ControlEnv> {
  const { store, clock, trustDomain } = options;
  const app = new Hono<ControlEnv>();
  app.onError((error) => problemResponse(error));
  app.notFound(() => problemResponse(new Refusal(404, "The registry has no such path")));

  const isRevoked = (serial: string): boolean => store.get(registryKeys.revoked + serial) !== null;
  app.use(vouchForCaller({ wallMs: () => clock.wallMs(), isRevoked }));

  app.get(registryPaths.health, (context) => context.json({ ok: true, revision: store.revision() }));

  app.put(registryPaths.instances, async (context) => {
    const caller = requireCaller(context, trustDomain, "service");
    const { instance, ttlMs } = await readBody(context.req.raw, registerSchema);
    requireOwn(caller.service, instance);
    requireMember(store, instance);
    return context.json(await register(store, instance, ttlMs));
  });

  app.post(`${registryPaths.instances}/remove`, async (context) => {
    const caller = requireCaller(context, trustDomain, "service");
    const { id } = await readBody(context.req.raw, v.strictObject({ id: text }));
    const entry = store.get(registryKeys.instances + id);
    if (entry !== null) {
      requireOwn(caller.service, JSON.parse(entry.value) as Instance);
      await store.revoke(leaseOf(id));
    }
    return context.json({ revision: store.revision() });
  });

  app.get(registryPaths.range, (context) => {
    requireCaller(context, trustDomain, "controller");
    const found = store.range(context.req.query("prefix") ?? "");
    return context.json({
      revision: found.revision,
      entries: found.entries.map(plainEntry),
    } satisfies RangeAnswer);
  });

  app.post(registryPaths.commit, async (context) => {
    requireCaller(context, trustDomain, "controller");
    const { conditions, operations } = await readBody(context.req.raw, commitSchema);
    const result = await store.commit(conditions, operations);
    if (result.ok) return context.json({ ok: true, revision: result.revision });
    return context.json({ ok: false, revision: result.revision, conflict: result.key });
  });

  app.get(registryPaths.watch, (context) => {
    requireCaller(context, trustDomain, "controller");
    const prefix = context.req.query("prefix") ?? "";
    const from = Number(context.req.query("from") ?? "");
    if (!Number.isSafeInteger(from) || from < 0)
      throw new Refusal(400, `Cannot watch from "${context.req.query("from")}": expected a revision`);
    return watch(store, clock, prefix, from);
  });
  return app;
}

function watch(store: Store, clock: Clock, prefix: string, from: number): Response {
  let stop = (): void => {};
  const heartbeat = (): WatchLine => ({ kind: "heartbeat", revision: store.revision() });
  return lineStream({ clock, heartbeat, closed: () => stop() }, (stream) => {
    const started = store.watch(prefix, from, (changes, revision) => {
      stream.send({ kind: "changes", revision, changes: changes.map(plainChange) } satisfies WatchLine);
    });
    if (started.ok) {
      stop = started.stop;
      stream.send(heartbeat());
      return;
    }
    stream.send({ kind: "compacted", revision: started.revision } satisfies WatchLine);
    stream.close();
  });
}

/** An unchanged registration renews the lease and nothing else: no revision, no news for watchers. */
async function register(
  store: Store,
  instance: Instance,
  ttlMs: number,
): Promise<{ revision: number; ttlMs: number }> {
  const lease = leaseOf(instance.id);
  await store.lease(lease, ttlMs);
  const instanceKey = registryKeys.instances + instance.id;
  const value = JSON.stringify(instance);
  if (store.get(instanceKey)?.value !== value) {
    const result = await store.commit([], [{ do: "put", key: instanceKey, value, lease }]);
    if (!result.ok) throw new Refusal(503, "The lease ended while it was registered: try again");
  }
  return { revision: store.revision(), ttlMs };
}

function leaseOf(instanceId: string): string {
  return `instance:${instanceId}`;
}

/** An instance belongs to the service whose certificate puts it, and its id says where it runs. */
function requireOwn(
  service: { readonly name: string; readonly namespace: string },
  instance: Instance,
): void {
  const own = serviceKey(service);
  if (serviceKey(instance.service) !== own)
    throw new Refusal(403, `${own} cannot register an instance of ${serviceKey(instance.service)}`);
  const prefix = `${instance.node}/${own}/`;
  if (!instance.id.startsWith(prefix) || !/^\d{1,5}$/.test(instance.id.slice(prefix.length))) {
    throw new Refusal(400, `Cannot register the instance "${instance.id}": expected ${prefix}<port>`);
  }
}

/** An instance runs on a machine that may be its service. */
function requireMember(store: Store, instance: Instance): void {
  const entry = store.get(registryKeys.nodes + instance.node);
  const node = entry === null ? null : (JSON.parse(entry.value) as Node);
  if (node === null || node.removed)
    throw new Refusal(403, `The machine ${instance.node} is not part of this mesh, or no longer`);
  const key = serviceKey(instance.service);
  if (!node.services.some((each) => serviceKey(each) === key))
    throw new Refusal(403, `The machine ${instance.node} may not be the service ${key}`);
}

function plainEntry(entry: Entry): { key: string; value: string; modified: number } {
  return { key: entry.key, value: entry.value, modified: entry.modified };
}

function plainChange(change: Change) {
  return change.kind === "delete"
    ? { kind: "delete" as const, key: change.key }
    : { kind: "put" as const, ...plainEntry(change.entry) };
}
