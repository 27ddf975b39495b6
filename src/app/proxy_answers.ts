/** All that a proxy answers to operators. */
import type { Clock } from "../../runtime/contract.ts";
import type { DataPlane } from "../proxy/data_plane.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { ProxyTelemetry } from "../telemetry/proxy_telemetry.ts";
import type { Answerers } from "./answers.ts";
import { decideAnswering } from "./decide.ts";
import { expositionAnswering, metricsAnswering } from "./metrics_answer.ts";
import { requestAnswering } from "./request_answer.ts";
import { underWayAnswering } from "./under_way_answer.ts";
import { tapAnswering } from "./tap_answer.ts";
import { trafficAnswering } from "./traffic_answer.ts";

export interface ProxyAnswersOptions {
  readonly metrics: Metrics;
  readonly recorder: ProxyTelemetry;
  readonly plane: Pick<DataPlane, "state">;
  readonly clock: Clock;
}

export function proxyAnswers({ metrics, recorder, plane, clock }: ProxyAnswersOptions): Answerers {
  return {
    decide: decideAnswering(plane, clock),
    exposition: expositionAnswering(metrics),
    metrics: metricsAnswering(metrics, clock),
    request: requestAnswering(recorder, plane, clock),
    tap: tapAnswering(recorder, clock),
    "under-way": underWayAnswering(recorder, plane),
    traffic: trafficAnswering(metrics, clock),
  };
}
