/** A request of a policy to a service of the mesh, and what comes of it. */
import type { ServiceName } from "../model/service.ts";
import type { NormalTarget } from "../wire/target.ts";

export interface ServiceCall {
  readonly service: ServiceName;
  readonly method: string;
  readonly target: NormalTarget;
  /** name, value, name, value …. */
  readonly headers: readonly string[];
  readonly body: string;
}

export type CallOutcome =
  | { readonly ok: true; readonly status: number; readonly headers: readonly string[]; readonly body: string }
  /** Why there is no answer. `late`: its time was over. */
  | { readonly ok: false; readonly problem: string; readonly late?: boolean };

/** Asks a service as whoever asked the policy; `done` hears what came of it, once, at the latest after `withinMs`. */
export type AskService = (call: ServiceCall, withinMs: number, done: (outcome: CallOutcome) => void) => void;
