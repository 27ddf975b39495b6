/** Policies as snapshots name them: at the place of a document that uses one, and as a bundle to be fetched. */
import type { PolicyUse, ServiceDocument } from "../../model/document.ts";
import { limits } from "../../model/limits.ts";
import { takesRequests } from "../../model/service.ts";
import { bindingsIn, type Destination, type PolicyBinding, type PolicyRef } from "../../model/snapshot.ts";
import type { CompileInput, KnownPolicy } from "./compile_input.ts";

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

/** Most policies see requests alone, which what is opaque has not. One that is not known may see everything. */
export function concerns(
  { use }: PolicyUse,
  { protocol }: ServiceDocument,
  policies: CompileInput["policies"],
): boolean {
  return takesRequests(protocol) || policies.get(use)?.hooks?.includes("onConnection") !== false;
}

/** Policies that are bound in a destination, looked for once. */
export class PolicyNames {
  readonly #known = new WeakMap<Destination, readonly string[]>();

  of(destination: Destination): readonly string[] {
    const known = this.#known.get(destination);
    if (known !== undefined) return known;
    const names = bindingsIn({ destinations: [destination], locals: [] }).map(({ name }) => name);
    this.#known.set(destination, names);
    return names;
  }
}
