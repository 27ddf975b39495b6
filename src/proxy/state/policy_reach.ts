/** What a state knows of where decisions of policies lead. */
import type { Reach } from "../../policy/verdict.ts";
import { readTarget, type NormalTarget } from "../../wire/target.ts";
import type { LiveDestination } from "./live_service.ts";

export class PolicyReach implements Reach {
  constructor(readonly destinations: ReadonlyMap<string, LiveDestination>) {}

  has(service: string, subset: string | null): boolean {
    const destination = this.#find(service);
    return destination !== undefined && (subset === null || destination.subsets.has(subset));
  }

  read(service: string, target: NormalTarget): NormalTarget | null {
    const reading = this.#find(service)?.declared;
    return reading === undefined ? target : readTarget(reading, target.target);
  }

  #find(service: string): LiveDestination | undefined {
    return this.destinations.get(service);
  }
}
