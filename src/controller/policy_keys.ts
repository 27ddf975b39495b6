/** Where all that is kept of a policy lies in the registry. */
import { registryKeys } from "../api/messages.ts";
import type { Catalog } from "./catalog.ts";

/** Keys that are there. */
export function policyKeys(
  {
    policyTrials,
    policiesBefore,
    policyHistory,
  }: Pick<Catalog, "policyTrials" | "policiesBefore" | "policyHistory">,
  name: string,
): string[] {
  return [
    registryKeys.policies + name,
    ...(policyTrials.has(name) ? [registryKeys.policyTrials + name] : []),
    ...(policiesBefore.has(name) ? [registryKeys.policiesBefore + name] : []),
    ...(policyHistory.has(name) ? [registryKeys.policyHistory + name] : []),
  ];
}
