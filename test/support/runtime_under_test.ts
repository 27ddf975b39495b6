/** The one place that says which runtime the conformance suite holds to the contract. */
import { createRuntime } from "../../runtime/bun/runtime.ts";
import type { Runtime } from "../../runtime/contract.ts";

export const runtime: Runtime = createRuntime();
