/** What every mode says of itself: its build, the process, and how late its event loop is. */
import type { Clock, Runtime } from "../../runtime/contract.ts";
import { build } from "../base/build.ts";
import { limits } from "../model/limits.ts";
import type { Histogram, Metrics } from "../telemetry/metrics.ts";

export function processMetrics(runtime: Runtime, metrics: Metrics, mode: string): void {
  const resident = metrics.gauge("process_resident_memory_bytes", "Resident memory.");
  const cpu = metrics.counter("process_cpu_seconds_total", "CPU time, user and system.");
  const descriptors = metrics.gauge("process_open_fds", "Open descriptors.");
  const started = metrics.gauge("process_start_time_seconds", "When the mode started, since 1970.");
  started().set(runtime.clock.wallMs() / 1000);
  metrics.gauge("heddle_build_info", "Always 1.", ["mode", "version"])(mode, build().version).set(1);
  let countedUs = 0;
  metrics.collect(() => {
    const usage = runtime.process.usage();
    resident().set(usage.residentBytes);
    cpu().add((usage.cpuUs - countedUs) / 1e6);
    countedUs = usage.cpuUs;
    descriptors().set(usage.openDescriptors);
  });
  watchLoop(
    runtime.clock,
    metrics.histogram("heddle_loop_delay_seconds", "How late a timer of the event loop fires.")(),
  );
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
