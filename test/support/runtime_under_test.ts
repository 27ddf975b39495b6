/** The one place that says which runtime the conformance suite holds to the contract; test/support/deno has another one. */
import { createRuntime } from "../../runtime/bun/runtime.ts";
import type { Runtime } from "../../runtime/contract.ts";

export const runtime: Runtime = createRuntime();

/** A command line that runs a module on this host. */
export function programOf(path: string): string[] {
  return [runtime.process.self[0] ?? "", path];
}
