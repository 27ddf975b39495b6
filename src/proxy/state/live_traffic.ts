/** What a state makes of what documents say of retries and timeouts: once, never for a request. */
import type { SharedNumbers } from "../../base/shared_numbers.ts";
import type { RouteTraits } from "../../model/document.ts";
import { serviceKey } from "../../model/service.ts";
import type { Destination } from "../../model/snapshot.ts";
import { wholeGroup } from "../../model/traffic.ts";
import { budgetNumbers, RetryBudget, retryBudgetSettings } from "../balance/retry_budget.ts";
import { attemptRules, type AttemptRules } from "../retry/retry_rules.ts";
import type { LiveDestination, LiveTimeouts } from "./live_service.ts";

export function liveTimeouts({ traffic, stream }: Destination): LiveTimeouts {
  const { requestMs, streamIdleMs } = wholeGroup("timeouts", traffic);
  return {
    requestMs: requestMs === 0 ? null : requestMs,
    streamIdleMs: streamIdleMs === 0 ? Infinity : streamIdleMs,
    streamsMaySilent: stream || traffic?.timeouts?.streamIdleMs === undefined,
  };
}

/** Another setting begins anew. */
export function liveBudget(
  { service, traffic }: Destination,
  before: LiveDestination | undefined,
  numbers: SharedNumbers,
): RetryBudget {
  const settings = retryBudgetSettings(traffic);
  const known = before?.budget;
  const same = known !== undefined && JSON.stringify(known.settings) === JSON.stringify(settings);
  const name = `budget ${serviceKey(service)} ${JSON.stringify(settings)}`;
  return same ? known : new RetryBudget(settings, numbers.row(name, budgetNumbers));
}

/** Of attempts at a service that this route leads to; the service's own where the route says nothing. */
export function rulesOf({ declared, rules }: LiveDestination, route: RouteTraits): AttemptRules {
  const says = route.idempotent || route.perTryMs !== undefined || route.retry !== undefined;
  return says ? attemptRules(declared.traffic, route) : rules;
}
