/**
 * The registry's API: services put their own instances, controllers read, watch and commit everything. Identity is the
 * caller's certificate; nothing in a body can claim another.
 */
import { Hono } from "hono";
import type { Clock, Random } from "../../runtime/contract.ts";
import { readBody } from "../api/body.ts";
import { requireCaller, vouchForCaller, type ControlEnv } from "../api/caller.ts";
import { registryKeys, registryPaths, type CommitAnswer, type RangeAnswer } from "../api/messages.ts";
import { Page } from "../api/pages.ts";
import { problemResponse, Refusal } from "../api/problem.ts";
import { limits } from "../model/limits.ts";
import { InstanceRoom } from "./instance_room.ts";
import { permissions, requireCommittable } from "./permissions.ts";
import { deregister, register } from "./registration.ts";
import { commitSchema, deregisterSchema, prefixIn, registerSchema, revisionIn } from "./requests.ts";
import { StoreUnavailable, type Entry, type Store } from "./store.ts";
import { WatchStreams } from "./watch_streams.ts";

export interface RegistryOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Pick<Random, "bytes">;
  readonly trustDomain: string;
}

export interface Registry {
  readonly app: Hono<ControlEnv>;
  /** Ends what would never end by itself, so that the server can close in order. */
  drain(): void;
}

export function createRegistry({ store, clock, random, trustDomain }: RegistryOptions): Registry {
  const app = new Hono<ControlEnv>();
  const watches = new WatchStreams(store, clock);
  const room = new InstanceRoom(store);
  /** One life of a registry. A store may be another one after it, with revisions that mean something else. */
  const epoch = random.bytes(8).toHex();
  app.onError(problemOf);
  app.notFound(() => problemResponse(new Refusal(404, "The registry has no such path")));

  const isRevoked = (serial: string): boolean => store.get(registryKeys.revoked + serial) !== null;
  app.use(vouchForCaller({ wallMs: () => clock.wallMs(), isRevoked }));

  app.get(registryPaths.health, (context) => context.json({ ok: true, revision: store.revision() }));

  app.put(registryPaths.instances, async (context) => {
    const caller = requireCaller(context, trustDomain, ...permissions.register);
    const { instance, ttlMs } = await readBody(context.req.raw, registerSchema);
    return context.json(await register(store, room, { caller: caller.service, instance, ttlMs }));
  });

  app.post(`${registryPaths.instances}/remove`, async (context) => {
    const caller = requireCaller(context, trustDomain, ...permissions.deregister);
    const { id } = await readBody(context.req.raw, deregisterSchema);
    return context.json({ revision: await deregister(store, caller.service, id) });
  });

  app.get(registryPaths.range, (context) => {
    requireCaller(context, trustDomain, ...permissions.range);
    const prefix = prefixIn((name) => context.req.query(name));
    const { entries, revision } = store.range(prefix);
    const page = new Page({ after: context.req.query("after") ?? "", limit: limits.pageRowsMax });
    const shown = page.add(entries, keyOf, ({ key, value, modified }) => ({ key, value, modified }));
    return context.json({ epoch, revision, entries: shown, next: page.next } satisfies RangeAnswer);
  });

  app.post(registryPaths.commit, async (context) => {
    requireCaller(context, trustDomain, ...permissions.commit);
    const { conditions, operations } = await readBody(context.req.raw, commitSchema);
    requireCommittable(operations);
    const result = await store.commit(conditions, operations);
    const { ok, revision } = result;
    const answer = ok ? { ok, revision } : { ok, revision, conflict: result.key };
    return context.json(answer satisfies CommitAnswer);
  });

  app.get(registryPaths.watch, (context) => {
    requireCaller(context, trustDomain, ...permissions.watch);
    const query = (name: string): string | undefined => context.req.query(name);
    const known = query("epoch") === undefined || query("epoch") === epoch;
    return watches.begin(prefixIn(query), revisionIn(query), known);
  });
  return { app, drain: () => watches.close() };
}

function keyOf(entry: Entry): string {
  return entry.key;
}

function problemOf(error: unknown): Response {
  if (!(error instanceof StoreUnavailable)) return problemResponse(error);
  const hint = "Nothing was changed. Look at the disk of the registry's machine, then try again";
  return problemResponse(new Refusal(503, error.message, hint));
}
