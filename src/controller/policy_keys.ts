/** What the catalog knows of one policy, and where all of it lies in the registry. */
import { registryKeys, type CommitRequest } from "../api/messages.ts";
import type { Catalog } from "./catalog.ts";
import { knownOf, policyKeys, versionKey, type Known } from "./policy_versions.ts";

type Kept = Pick<Catalog, "policies" | "policyTrials" | "policyHistory" | "policyVersions">;

/** Keys that are there. */
export function policyKeysOf({ policyTrials, policyHistory, policyVersions }: Kept, name: string): string[] {
  return [
    registryKeys.policies + name,
    ...(policyTrials.has(name) ? [registryKeys.policyTrials + name] : []),
    ...(policyHistory.has(name) ? [registryKeys.policyHistory + name] : []),
    ...(policyVersions.get(name) ?? []).map(({ policy }) => versionKey(policy)),
  ];
}

export function knownIn(catalog: Kept, name: string): Known {
  return knownOf(
    catalog.policies.get(name) ?? null,
    catalog.policyTrials.get(name) ?? null,
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
