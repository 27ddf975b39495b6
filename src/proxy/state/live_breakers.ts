/** Circuit breaking of a service in a state: what the one before found goes on, where nothing changed that it was found by. */
import type { Random } from "../../../runtime/contract.ts";
import type { SharedNumbers } from "../../base/shared_numbers.ts";
import type { Shard } from "../../http/shard.ts";
import { serviceKey } from "../../model/service.ts";
import type { Destination, Endpoint } from "../../model/snapshot.ts";
import { Breaker, breakerNumbers, type BreakerState } from "../breaker/breaker.ts";
import { BreakerGroup, groupNumbers } from "../breaker/breaker_group.ts";
import { breakerSettings } from "../breaker/breaker_settings.ts";
import type { LiveDestination, LiveEndpoint } from "./live_service.ts";

export interface BreakersInput {
  readonly random: Random;
  readonly shard: Shard;
  /** An endpoint of this service was taken out. */
  readonly ejected: (service: string, reason: string) => void;
}

/** Another setting begins anew: what the old one found may be none by it. */
export function liveBreakers(
  { service, traffic }: Destination,
  before: LiveDestination | undefined,
  { random, shard, ejected }: BreakersInput,
): BreakerGroup {
  const settings = breakerSettings(traffic);
  const says = JSON.stringify(settings);
  if (before !== undefined && JSON.stringify(before.breakers.settings) === says) return before.breakers;
  const key = serviceKey(service);
  const changed = (breaker: Breaker, from: BreakerState): void => {
    if (from === "closed") ejected(key, breaker.reason as string);
  };
  const name = `breakers ${key} ${says}`;
  return new BreakerGroup(settings, random, changed, shard.numbers.row(name, groupNumbers), name);
}

/** `kept`: the endpoint as it was, if it is the same. */
export function liveHealth(
  { id, address, port }: Endpoint,
  group: BreakerGroup,
  kept: LiveEndpoint | null,
  numbers: SharedNumbers,
): Breaker {
  if (kept?.health.group === group) return kept.health;
  return new Breaker(group, numbers.row(`${group.name} ${id} ${address} ${port}`, breakerNumbers));
}
