/** What every mode says of itself. */
import type { Runtime } from "../../runtime/contract.ts";
import type { Metrics } from "../telemetry/metrics.ts";

export function processMetrics(runtime: Runtime, metrics: Metrics, mode: string): void {
  const resident = metrics.gauge("process_resident_memory_bytes", "Resident memory.");
  const cpu = metrics.gauge("process_cpu_seconds_total", "CPU time, user and system.");
  const descriptors = metrics.gauge("process_open_fds", "Open descriptors.");
  metrics.gauge("heddle_build_info", "Always 1.", ["mode"])(mode).set(1);
  metrics.collect(() => {
    const usage = runtime.process.usage();
    resident().set(usage.residentBytes);
    cpu().set(usage.cpuUs / 1e6);
    descriptors().set(usage.openDescriptors);
  });
}
