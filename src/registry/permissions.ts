/**
 * Who may do what on the registry's API, as one table: the kinds of certificate that each action takes. What an instance
 * may say of itself is in `registration.ts`.
 */
import { registryKeys, registryPaths } from "../api/messages.ts";
import { Refusal } from "../api/problem.ts";
import type { Operation } from "./store.ts";

export const permissions = {
  /** A service its own instances, with the certificate of that service; nobody on behalf of another. */
  register: ["service"],
  deregister: ["service"],
  /** Everything that is known, tokens and documents too. */
  range: ["controller"],
  watch: ["controller"],
  /** Documents come from operators through a controller, which checks them. */
  commit: ["controller"],
  /** Who leads, and who is alive. */
  hold: ["controller"],
} as const;

/** Instances live on leases: a controller may take one away, and never makes one up. What it holds alone lives on its own lease. */
export function requireCommittable(operations: readonly Operation[]): void {
  const invented = operations.find(
    (each) => each.do === "put" && each.key.startsWith(registryKeys.instances),
  );
  if (invented !== undefined)
    throw new Refusal(403, `Cannot put ${invented.key}: an instance is registered by its own service`);
  const held = operations.find((each) => each.do === "put" && each.key.startsWith(registryKeys.holds));
  if (held !== undefined)
    throw new Refusal(403, `Cannot put ${held.key}: it is held by ${registryPaths.holds}`);
}
