/** All that a proxy answers to operators. */
import type { Clock, Runtime } from "../../runtime/contract.ts";
import type { DataPlane } from "../proxy/data_plane.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { ProxyTelemetry } from "../telemetry/proxy_telemetry.ts";
import type { Answerers } from "./answers.ts";
import { decideAnswering } from "./decide.ts";
import { expositionAnswering, metricsAnswering } from "./metrics_answer.ts";
import { reportAnswering } from "./report_answer.ts";
import type { HeldChain } from "../policy/chain.ts";
import { policyLogAnswering } from "./policy_log_answer.ts";
import { recordAnswering } from "./record_answer.ts";
import { requestAnswering } from "./request_answer.ts";
import { underWayAnswering } from "./under_way_answer.ts";
import { tapAnswering } from "./tap_answer.ts";
import type { StateFolder } from "./state_folder.ts";
import { trafficAnswering } from "./traffic_answer.ts";
import type { ShardAnswerers } from "./shards/shard_questions.ts";

export interface ShardAnswersOptions {
  readonly recorder: ProxyTelemetry;
  readonly plane: Pick<DataPlane, "state">;
  readonly clock: Clock;
  readonly policies: Pick<HeldChain, "listen">;
}

export interface ProxyAnswersOptions extends Omit<ShardAnswersOptions, "recorder" | "clock" | "policies"> {
  readonly runtime: Runtime;
  readonly folder: StateFolder;
  readonly metrics: Metrics;
  /** Of what passes: here, or in other processes. */
  readonly traffic: ShardAnswerers;
}

/** Questions about what passes through one event loop. */
export function shardAnswers({ recorder, plane, clock, policies }: ShardAnswersOptions): ShardAnswerers {
  return {
    request: requestAnswering(recorder, plane, clock),
    tap: tapAnswering(recorder, clock),
    record: recordAnswering(policies, clock),
    "policy-log": policyLogAnswering(policies, clock),
    "under-way": underWayAnswering(recorder, plane),
  };
}

export function proxyAnswers({ metrics, plane, runtime, folder, traffic }: ProxyAnswersOptions): Answerers {
  const { clock } = runtime;
  return {
    decide: decideAnswering(plane, clock),
    exposition: expositionAnswering(metrics),
    metrics: metricsAnswering(metrics, clock),
    ...traffic,
    report: reportAnswering(runtime, folder),
    traffic: trafficAnswering(metrics, clock),
  };
}
