/**
 * Which policies one version of heddle can run. Each proxy tells the controller its own, so that nothing is handed out that a machine
 * of an older version would run without half of it.
 */
import type { BodiesRead } from "../model/snapshot.ts";
import { bodyUses, hooks } from "./hooks.ts";

export interface PolicySupport {
  /** Of the `api` that a policy says of itself. */
  readonly apiOldest: number;
  readonly apiNewest: number;
  /** Points of an exchange at which it asks policies, and bodies that it shows them (`requestJson`). */
  readonly hooks: readonly string[];
}

/** Of this one. It takes the newest `api` and the one before. */
export const ownSupport: PolicySupport = {
  apiOldest: 1,
  apiNewest: 1,
  hooks: [...hooks, ...bodyUses.map(({ use }) => use)],
};

/** Of a proxy that does not say: those that there were then, and new ones come last. */
const firstSupport: PolicySupport = { apiOldest: 1, apiNewest: 1, hooks: hooks.slice(0, 6) };

interface Needs {
  readonly api?: number;
  readonly hooks?: readonly string[];
  readonly bodies?: BodiesRead;
}

/** What of a policy is not there; null: it can be run. */
export function lacking(
  { api = 1, hooks: asked = [], bodies = {} }: Needs,
  support: PolicySupport = firstSupport,
): string | null {
  const { apiOldest, apiNewest, hooks: known } = support;
  if (api < apiOldest || api > apiNewest) return `api ${api}`;
  const shown = bodyUses.filter(({ of }) => bodies[of] !== undefined).map(({ use }) => use);
  return [...asked, ...shown].find((name) => !known.includes(name)) ?? null;
}
