/** What a state knows of where decisions of policies lead. */
import type { RouteTraits } from "../../model/document.ts";
import { serviceKey, type ServiceName } from "../../model/service.ts";
import type { Reach } from "../../policy/verdict.ts";
import { readTarget, type NormalTarget } from "../../wire/target.ts";
import type { LiveDestination, Target } from "./live_service.ts";
import { rulesOf } from "./live_traffic.ts";

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

  /** `route`: that whose requests go there; null: they are copies. null where there is no such service or subset. */
  target(service: ServiceName, subset: string | null, route: RouteTraits | null): Target | null {
    const destination = this.#find(serviceKey(service));
    const balancer = subset === null ? destination?.whole : destination?.subsets.get(subset);
    if (destination === undefined || balancer === undefined) return null;
    return { destination, balancer, rules: route === null ? destination.rules : rulesOf(destination, route) };
  }

  #find(service: string): LiveDestination | undefined {
    return this.destinations.get(service);
  }
}
