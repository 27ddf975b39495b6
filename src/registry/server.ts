/**
 * The registry's API: services put their own instances, controllers read, watch and commit everything. Identity is the
 * caller's certificate; nothing in a body can claim another.
 */
import { Hono } from "hono";
import type { Clock, Random } from "../../runtime/contract.ts";
import { readBody } from "../api/body.ts";
import { requireCaller, vouchForCaller, type ControlEnv } from "../api/caller.ts";
import {
  registryKeys,
  registryPaths,
  type CommitAnswer,
  type KnownEntry,
  type RangeAnswer,
} from "../api/messages.ts";
import { Page } from "../api/pages.ts";
import { problemResponse, Refusal } from "../api/problem.ts";
import { limits } from "../model/limits.ts";
import { InstanceRoom } from "./instance_room.ts";
import { permissions, requireCommittable } from "./permissions.ts";
import { deregister, register } from "./registration.ts";
import { hold, release } from "./holds.ts";
import {
  commitSchema,
  deregisterSchema,
  holdSchema,
  prefixIn,
  registerSchema,
  releaseSchema,
  revisionIn,
} from "./requests.ts";
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
  /** One life of a registry, unless others share its store: another one has revisions that mean something else. */
  let epoch = store.epoch ?? random.bytes(8).toHex();
  app.onError(problemOf);
  app.notFound(() => problemResponse(new Refusal(404, "The registry has no such path")));

  const isRevoked = (serial: string): boolean => store.get(registryKeys.revoked + serial) !== null;
  app.use(vouchForCaller({ wallMs: () => clock.wallMs(), isRevoked }));

  app.use((_context, next) => requireWell(store, next));

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

  app.get(registryPaths.range, async (context) => {
    requireCaller(context, trustDomain, ...permissions.range);
    const prefix = prefixIn((name) => context.req.query(name));
    if (context.req.query("only") !== undefined) {
      const found = await store.current(prefix);
      const entries = found === null ? [] : [shownOf(found)];
      return context.json({ epoch, revision: store.revision(), entries, next: null } satisfies RangeAnswer);
    }
    const { entries, revision } = store.range(prefix);
    const page = new Page({ after: context.req.query("after") ?? "", limit: limits.pageRowsMax });
    const shown = page.add(entries, keyOf, shownOf);
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

  mountHolds(app, { store, trustDomain });

  app.get(registryPaths.watch, async (context) => {
    requireCaller(context, trustDomain, ...permissions.watch);
    const query = (name: string): string | undefined => context.req.query(name);
    const known = query("epoch") === undefined || query("epoch") === epoch;
    const from = revisionIn(query);
    // Others over the same store may have told more than is known here.
    const reached = known && store.epoch !== null ? await store.reached(from) : "here";
    if (reached === "late") throw behind(store, from);
    // Revisions mean something else from where its store was put back to: whoever knows more has to read all again.
    if (reached === "never" && query("epoch") === epoch) epoch = `${store.epoch}-${random.bytes(8).toHex()}`;
    return watches.begin(prefixIn(query), from, known && reached === "here");
  });
  return { app, drain: () => watches.close() };
}

function behind(store: Store, from: number): Refusal {
  return new Refusal(503, `The registry is behind: it knows revision ${store.revision()}, not ${from} yet`);
}

function mountHolds(
  app: Hono<ControlEnv>,
  { store, trustDomain }: Pick<RegistryOptions, "store" | "trustDomain">,
): void {
  app.put(registryPaths.holds, async (context) => {
    const caller = requireCaller(context, trustDomain, ...permissions.hold);
    return context.json(await hold(store, caller.name, await readBody(context.req.raw, holdSchema)));
  });
  app.post(`${registryPaths.holds}/release`, async (context) => {
    const caller = requireCaller(context, trustDomain, ...permissions.hold);
    await release(store, caller.name, (await readBody(context.req.raw, releaseSchema)).name);
    return context.json({});
  });
}

/** One that is cut off from its store would tell what was. */
async function requireWell(store: Store, next: () => Promise<void>): Promise<void> {
  const problem = store.problem();
  if (problem !== null) throw new Refusal(503, `The registry does not know how things stand: ${problem}`);
  await next();
}

function keyOf(entry: Entry): string {
  return entry.key;
}

function shownOf({ key, value, modified }: Entry): KnownEntry {
  return { key, value, modified };
}

function problemOf(error: unknown): Response {
  if (!(error instanceof StoreUnavailable)) return problemResponse(error);
  const hint = "Look at the disk of the registry's machine, or at etcd, then try again";
  return problemResponse(new Refusal(503, error.message, hint));
}
