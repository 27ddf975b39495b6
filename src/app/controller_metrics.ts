/** What a controller says of its machines: how many are connected, and how long documents take to reach them. */
import type { PushStage, Publisher } from "../controller/publisher.ts";
import type { Metrics } from "../telemetry/metrics.ts";

/** Seconds: changes are gathered for a moment first, and a machine may have a policy to fetch. */
const pushBuckets: readonly number[] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** For `Publisher`: each push, when it happens. */
export function pushHistogram(metrics: Metrics): (stage: PushStage, ms: number) => void {
  const push = metrics.histogram(
    "heddle_config_push_seconds",
    "From a revision of documents to its snapshot on the way to a machine (sent), and in force there (acknowledged).",
    ["stage"],
    pushBuckets,
  );
  return (stage, ms) => push(stage).observe(ms / 1_000);
}

export function exposeController(metrics: Metrics, publisher: Publisher): void {
  const connected = metrics.gauge("heddle_nodes_connected", "Machines whose proxy is connected.");
  metrics.collect(() =>
    connected().set([...publisher.nodes.values()].filter((node) => node.connected).length),
  );
}
