/** What every mode says of itself: its build, its processes, and how late their event loops are. */
import type { Clock, Runtime } from "../../runtime/contract.ts";
import { build } from "../base/build.ts";
import { limits } from "../model/limits.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { families } from "../telemetry/families.ts";

/** `delayed` hears too how late the event loop is, in milliseconds, each `loopProbeMs`. */
export function modeMetrics(
  runtime: Runtime,
  metrics: Metrics,
  mode: string,
  delayed: (ms: number) => void = () => {},
): void {
  metrics
    .gauge(families.processStartTimeSeconds)()
    .set(runtime.clock.wallMs() / 1000);
  metrics.gauge(families.buildInfo)(mode, build().version).set(1);
  processMetrics(runtime, metrics, delayed);
}

/** Of one process of a mode: what is summed over all of them. */
export function processMetrics(runtime: Runtime, metrics: Metrics, delayed: (ms: number) => void): void {
  const resident = metrics.gauge(families.processResidentMemoryBytes);
  const cpu = metrics.counter(families.processCpuSeconds);
  const descriptors = metrics.gauge(families.processOpenFds);
  let countedUs = 0;
  metrics.collect(() => {
    const usage = runtime.process.usage();
    resident().set(usage.residentBytes);
    cpu().add((usage.cpuUs - countedUs) / 1e6);
    countedUs = usage.cpuUs;
    descriptors().set(usage.openDescriptors);
  });
  const histogram = metrics.histogram(families.loopDelaySeconds)();
  watchLoop(runtime.clock, (ms) => {
    histogram.observe(ms / 1000);
    delayed(ms);
  });
}

/** Ends with the process. */
function watchLoop(clock: Clock, delayed: (ms: number) => void): void {
  const due = clock.now() + limits.loopProbeMs;
  clock.after(
    limits.loopProbeMs,
    () => {
      delayed(Math.max(0, clock.now() - due));
      watchLoop(clock, delayed);
    },
    true,
  );
}
