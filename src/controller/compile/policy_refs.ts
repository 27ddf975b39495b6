/** Policies as snapshots name them: at the place of a document that uses one, and as a bundle to be fetched. */
import type { PolicyUse } from "../../model/document.ts";
import { limits } from "../../model/limits.ts";
import type { PolicyBinding, PolicyRef } from "../../model/snapshot.ts";
import type { KnownPolicy } from "./compile_input.ts";

export function bound(use: PolicyUse, { hash = "", hooks, bodies }: Partial<KnownPolicy>): PolicyBinding {
  const binding = { hash, name: use.use, options: use.with, ...(bodies === undefined ? {} : { bodies }) };
  return hooks === undefined ? binding : { ...binding, hooks };
}

function refOf({ hash, name, version, api = 1, onError, cpuMs, waitMs, shipped }: PolicyRef): PolicyRef {
  const plain: PolicyRef = { hash, name, version, ...(api === 1 ? {} : { api }), onError, cpuMs };
  const ref = waitMs === undefined || waitMs === limits.policyWaitMs ? plain : { ...plain, waitMs };
  return shipped === true ? { ...ref, shipped } : ref;
}

/** The one in force, and the one that is tried beside it. */
export function refsOf(known: PolicyRef, tried: PolicyRef | undefined): PolicyRef[] {
  return [refOf(known), ...(tried === undefined ? [] : [{ ...refOf(tried), tried: true }])];
}
