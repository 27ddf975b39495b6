/** The groups that `kind: Traffic` says of one service, and `kind: Mesh` of all of them. One group is one line here. */
import * as v from "valibot";
import {
  mergeTraffic,
  wholeGroup,
  type TrafficGroup,
  type TrafficTraits,
  type WholeGroup,
} from "../../model/traffic.ts";
import { said } from "../fields.ts";
import type { Report } from "../issue_at.ts";
import type { Path } from "../yaml_file.ts";
import { balance } from "./balance.ts";
import { bandwidth } from "./bandwidth.ts";
import { circuitBreaking } from "./circuit_breaking.ts";
import { concurrency } from "./concurrency.ts";
import { hedging } from "./hedging.ts";
import { limits } from "./limits.ts";
import { priority } from "./priority.ts";
import { rateLimit } from "./rate_limit.ts";
import { sessionPersistence } from "./session_persistence.ts";
import { zones } from "./zones.ts";
import { retries, retryBudget } from "./retries.ts";
import { timeouts } from "./timeouts.ts";
import type { TrafficPart } from "./traffic_part.ts";

type AnyPart = TrafficPart<TrafficGroup, v.GenericSchema>;

const parts = {
  ...{ balance, timeouts, retries, retryBudget, hedging, circuitBreaking },
  ...{ limits, concurrency, priority, bandwidth, rateLimit, sessionPersistence, zones },
} satisfies Record<TrafficGroup, unknown>;

/** Their fields, each optional. */
export const trafficFields = {
  balance: v.optional(said(balance.schema, balance.words)),
  timeouts: v.optional(said(timeouts.schema, timeouts.words)),
  retries: v.optional(said(retries.schema, retries.words)),
  retryBudget: v.optional(said(retryBudget.schema, retryBudget.words)),
  hedging: v.optional(said(hedging.schema, hedging.words)),
  circuitBreaking: v.optional(said(circuitBreaking.schema, circuitBreaking.words)),
  limits: v.optional(said(limits.schema, limits.words)),
  concurrency: v.optional(said(concurrency.schema, concurrency.words)),
  priority: v.optional(said(priority.schema, priority.words)),
  bandwidth: v.optional(said(bandwidth.schema, bandwidth.words)),
  rateLimit: v.optional(said(rateLimit.schema, rateLimit.words)),
  sessionPersistence: v.optional(said(sessionPersistence.schema, sessionPersistence.words)),
  zones: v.optional(said(zones.schema, zones.words)),
};

type Written = { readonly [Group in TrafficGroup]?: unknown };

export function expandTraffic(written: Written, namespace: string): TrafficTraits {
  const groups = namesOf(written);
  return Object.fromEntries(groups.map((group) => [group, partOf(group).expand(written[group], namespace)]));
}

/** What does not go together in `traffic`, of a document at `path`, over what is `below` it. */
export function checkTraffic(
  traffic: TrafficTraits,
  below: TrafficTraits,
  { path, report }: { readonly path: Path; readonly report: Report },
): void {
  const inForce = mergeTraffic(below, traffic);
  for (const group of namesOf(traffic)) {
    const own = traffic[group] as NonNullable<TrafficTraits[TrafficGroup]>;
    const whole = wholeGroup(group, inForce) as WholeGroup<TrafficGroup>;
    partOf(group).check?.(whole, own, (field, message) => report([...path, group, field], message));
  }
}

function namesOf(written: Written): TrafficGroup[] {
  return (Object.keys(parts) as TrafficGroup[]).filter((group) => written[group] !== undefined);
}

function partOf(group: TrafficGroup): AnyPart {
  return parts[group] as unknown as AnyPart;
}
