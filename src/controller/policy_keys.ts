/** What the catalog knows of one policy, and where all of it lies in the registry. */
import { registryKeys, type CommitRequest } from "../api/messages.ts";
import type { Catalog } from "./catalog.ts";
import { formerKey, knownOf, policyKeys, versionKey, type Known } from "./policy_versions.ts";

type Kept = Pick<
  Catalog,
  "policies" | "policyTrials" | "policyHistory" | "policyVersions" | "policiesBefore"
>;

/** Keys that are there. */
export function policyKeysOf(kept: Kept, name: string): string[] {
  const { policyTrials, policyHistory, policyVersions, policiesBefore } = kept;
  return [
    registryKeys.policies + name,
    ...(policyTrials.has(name) ? [registryKeys.policyTrials + name] : []),
    ...(policyHistory.has(name) ? [registryKeys.policyHistory + name] : []),
    ...(policyVersions.get(name) ?? []).map(({ policy }) => versionKey(policy)),
    ...(policiesBefore.has(name) ? [formerKey(name)] : []),
  ];
}

export function knownIn(catalog: Kept, name: string): Known {
  return knownOf(
    {
      inForce: catalog.policies.get(name) ?? null,
      trial: catalog.policyTrials.get(name) ?? null,
      former: catalog.policiesBefore.get(name) ?? null,
    },
    catalog.policyHistory.get(name) ?? null,
    catalog.policyVersions.get(name) ?? [],
  );
}

/** Holds as long as nobody changed what the catalog knows of these policies. */
export function unchangedPolicies(
  { policiesAt }: Pick<Catalog, "policiesAt">,
  names: readonly string[],
): CommitRequest["conditions"] {
  return names.flatMap(policyKeys).map((key) => ({ key, modified: policiesAt.get(key) ?? 0 }));
}
