/** Policies as documents use them: sources in, bundles out. */
import type { Runtime } from "../../runtime/contract.ts";
import type { PolicyBundler } from "./documents.ts";

export function createPolicyBundler(_runtime: Runtime): PolicyBundler {
  return {
    bundle: async () => ({ policies: [], issues: [] }),
    checkOptions: async () => null,
  };
}
