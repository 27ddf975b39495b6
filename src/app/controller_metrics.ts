/** What a controller says of its machines: how many are connected, and how long documents take to reach them. */
import type { PushStage, Publisher } from "../controller/publisher.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { families } from "../telemetry/families.ts";

/** For `Publisher`: each push, when it happens. */
export function pushHistogram(metrics: Metrics): (stage: PushStage, ms: number) => void {
  const push = metrics.histogram(families.configPushSeconds);
  return (stage, ms) => push(stage).observe(ms / 1_000);
}

export function exposeController(metrics: Metrics, publisher: Publisher): void {
  const connected = metrics.gauge(families.nodesConnected);
  metrics.collect(() =>
    connected().set([...publisher.nodes.values()].filter((node) => node.connected).length),
  );
}
