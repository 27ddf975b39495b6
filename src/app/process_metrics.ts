/** What every mode says of itself: its build, the process, and how late its event loop is. */
import type { Clock, Runtime } from "../../runtime/contract.ts";
import { build } from "../base/build.ts";
import { limits } from "../model/limits.ts";
import type { Histogram, Metrics } from "../telemetry/metrics.ts";
import { families } from "../telemetry/families.ts";

export function processMetrics(runtime: Runtime, metrics: Metrics, mode: string): void {
  const resident = metrics.gauge(families.processResidentMemoryBytes);
  const cpu = metrics.counter(families.processCpuSeconds);
  const descriptors = metrics.gauge(families.processOpenFds);
  const started = metrics.gauge(families.processStartTimeSeconds);
  started().set(runtime.clock.wallMs() / 1000);
  metrics.gauge(families.buildInfo)(mode, build().version).set(1);
  let countedUs = 0;
  metrics.collect(() => {
    const usage = runtime.process.usage();
    resident().set(usage.residentBytes);
    cpu().add((usage.cpuUs - countedUs) / 1e6);
    countedUs = usage.cpuUs;
    descriptors().set(usage.openDescriptors);
  });
  watchLoop(runtime.clock, metrics.histogram(families.loopDelaySeconds)());
}

/** Ends with the process. */
function watchLoop(clock: Clock, delay: Histogram): void {
  const due = clock.now() + limits.loopProbeMs;
  clock.after(
    limits.loopProbeMs,
    () => {
      delay.observe(Math.max(0, clock.now() - due) / 1000);
      watchLoop(clock, delay);
    },
    true,
  );
}
