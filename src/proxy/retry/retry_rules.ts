/** What attempts at a service go by, made once of documents: of the route first, then of the service, then of the mesh. */
import { parseDuration } from "../../base/duration.ts";
import type { RouteRetry, RouteTraits } from "../../model/document.ts";
import { grpcCodeNames } from "../../model/grpc_code.ts";
import { wholeGroup, type RetryCondition, type TrafficTraits } from "../../model/traffic.ts";
import type { Sending } from "../../policy/sending.ts";

/** What retries may be about. A connection that was refused, and a stream the server did not begin, carry no risk at all. */
export type RetryCause = "connect" | "refused" | "reset" | "timeout" | "status";

export interface RetryRules {
  /** Attempts of one request, the first included. */
  readonly attemptsMax: number;
  readonly causes: ReadonlySet<RetryCause>;
  /** HTTP statuses that are a reason. */
  readonly statuses: ReadonlySet<number>;
  /** Statuses of gRPC that are. */
  readonly grpc: ReadonlySet<number>;
  /** Longest wait before the first retry, and before any. */
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
  /** Shortest wait before any. */
  readonly backoffMinMs: number;
}

export interface AttemptRules {
  readonly retry: RetryRules;
  /** Requests may be sent again whatever their method is. */
  readonly idempotent: boolean;
  /** Infinity: no limit. */
  readonly perTryMs: number;
  /** null: no request is sent to two instances at a time. */
  readonly hedge: HedgeRules | null;
}

export interface HedgeRules {
  /** After which the second one gets it; null: after p95 of the service. */
  readonly delayMs: number | null;
}

const causeOf: Readonly<Record<RetryCondition, RetryCause | null>> = {
  "connect-failure": "connect",
  "refused-stream": "refused",
  reset: "reset",
  timeout: "timeout",
  "gateway-error": null,
  "5xx": null,
};

const gatewayErrors = [502, 503, 504];
const serverErrors = Array.from({ length: 100 }, (_, at) => 500 + at);

function retryRules(traffic: TrafficTraits, route: RouteRetry = {}): RetryRules {
  const { attempts, on, codes, grpc, backoffMs, backoffMaxMs } = wholeGroup("retries", traffic);
  // A newer controller may know more of them.
  const named = on.map((condition) => causeOf[condition] ?? null).filter((cause) => cause !== null);
  return {
    attemptsMax: (route.attempts ?? attempts) + 1,
    causes: new Set<RetryCause>([...named, "status"]),
    statuses: new Set([
      ...(route.codes ?? codes),
      ...(on.includes("gateway-error") ? gatewayErrors : []),
      ...(on.includes("5xx") ? serverErrors : []),
    ]),
    grpc: new Set(grpc.map((name) => grpcCodeNames.indexOf(name))),
    backoffMs,
    backoffMaxMs,
    backoffMinMs: route.backoffMs ?? 0,
  };
}

/** `off`, `p95`, or a duration. */
function hedgeRules(delay: string): HedgeRules | null {
  if (delay === "p95") return { delayMs: null };
  const delayMs = parseDuration(delay);
  return delayMs === null ? null : { delayMs };
}

/** `traffic`: of the service that is tried; `route`: of the route that led there. */
export function attemptRules(
  traffic: TrafficTraits = {},
  route: Pick<RouteTraits, "idempotent" | "perTryMs" | "retry"> = { idempotent: false },
): AttemptRules {
  const perTryMs = route.perTryMs ?? wholeGroup("timeouts", traffic).perTryMs;
  return {
    retry: retryRules(traffic, route.retry),
    idempotent: route.idempotent || wholeGroup("retries", traffic).idempotent,
    perTryMs: perTryMs === 0 ? Infinity : perTryMs,
    hedge: hedgeRules(wholeGroup("hedging", traffic).delay),
  };
}

/** With what the policies of one request say over it. */
export function rulesWith(rules: AttemptRules, { retries = {}, hedge }: Sending): AttemptRules {
  const { attempts, codes, idempotent, perTryMs } = retries;
  return {
    retry: {
      ...rules.retry,
      ...(attempts === undefined ? {} : { attemptsMax: attempts + 1 }),
      ...(codes === undefined ? {} : { statuses: new Set(codes) }),
    },
    idempotent: idempotent ?? rules.idempotent,
    perTryMs: perTryMs ?? rules.perTryMs,
    hedge: hedge === undefined ? rules.hedge : hedgeRules(hedge),
  };
}

/** Where no document says anything. @visibleForTesting */
export const retryDefaults: RetryRules = retryRules({});
