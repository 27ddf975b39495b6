/** heddle in the bench: two proxies of a real mesh on the proxies' core, its control plane on the other. */
import { existsSync } from "node:fs";
import { binaryPath } from "../../compile/repository.ts";
import type { Address, Subject, Work } from "./peers/peer.ts";
import type { IdleResult } from "./results.ts";

export interface HeddleContext {
  readonly folder: string;
  readonly backend: Address;
  readonly proxyCore: number;
  readonly loadCore: number;
}

export interface StartedHeddle {
  readonly version: string;
  readonly subjects: ReadonlyMap<Work, Subject>;
  idle(afterMs: number): Promise<IdleResult>;
  stop(): Promise<void>;
}

/** The reason when it cannot. */
export async function startHeddle(_context: HeddleContext): Promise<StartedHeddle | string> {
  if (!existsSync(binaryPath)) return "npm run compile makes it";
  return "its rows follow";
}
