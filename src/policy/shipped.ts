/** The policies that ship with heddle, as text: documents may use them without giving their sources. */
import { embed } from "../../compile/embed.ts" with { type: "macro" };
import type { PolicySource } from "./policy_source.ts";

export const shippedPolicies: readonly PolicySource[] = [
  { file: "policies/header_route.ts", text: embed("policies/header_route.ts") },
];
