/** One state follows another: what the new one carries on goes on by its rules, and what only the old one had ends. */
import type { Pool } from "../upstream/pool.ts";
import { boundAll } from "./bounds.ts";
import { isReady, type ProxyState } from "./state.ts";

/** The state is in force: circuit breaking goes by its endpoints, and what only the one before needed ends. */
export function takeOver(state: ProxyState, old: ProxyState | null, nowMs: number): void {
  boundAll(state.locals.values(), state.destinations.values());
  for (const { breakers, endpoints } of state.destinations.values())
    breakers.become(new Set([...endpoints.values()].filter(isReady).map(({ health }) => health)), nowMs);
  if (old === null) return;
  for (const { whole, subsets } of old.destinations.values())
    for (const picker of [whole, ...subsets.values()]) picker.close();
}

/** Numbers that one state shares with other event loops, and that the one that stays does not use. */
export function releaseOthers(gone: ProxyState, stays: ProxyState | null): void {
  const kept = new Set(stays === null ? [] : sharedBy(stays));
  for (const each of sharedBy(gone)) if (!kept.has(each)) each.release();
}

function* sharedBy({ destinations, locals }: ProxyState): Generator<{ release(): void }> {
  for (const { budget, breakers, endpoints, admission, connections, room } of destinations.values()) {
    yield* [budget.row, breakers.row, admission, connections, room];
    for (const { health } of endpoints.values()) yield health.row;
  }
  for (const { limits } of locals.values()) if (limits !== null) yield* limits.shared();
}

/** Connections to other machines, and out of the mesh. */
export function poolsOf(state: ProxyState): Pool[] {
  const exits = [...state.exits.values()].flatMap((all) => [...all.values()]);
  const endpoints = [...state.destinations.values()].flatMap((each) => [...each.endpoints.values()]);
  const reached = endpoints.flatMap(({ pools, here }) => [
    ...pools.shared.values(),
    ...pools["http/1.1"].values(),
    ...(here?.app.outside === undefined ? [] : Object.values(here.app.pools)),
  ]);
  // What a gateway leads to may be called from its own machine, too.
  return [...new Set([...reached, ...exits.flatMap(({ app }) => Object.values(app.pools))])];
}

/** Those of the old state that the new one does not carry on. */
export function abandonedPools(old: ProxyState, next: ProxyState): Pool[] {
  const kept = new Set(poolsOf(next));
  return poolsOf(old).filter((pool) => !kept.has(pool));
}
