/**
 * What becomes of a broken invariant in the proxy: the connection in whose callback it was found has been reset; it is logged
 * and counted, and the proxy serves on. Many of them in a minute end the process, and so does the first where HEDDLE_FAULTS
 * is `end`: a test must not miss it.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { families } from "../telemetry/families.ts";

export const faultExitCode = 70;

export function surviveFaults(runtime: Runtime, metrics: Metrics, log: (text: string) => void): void {
  const { process, clock } = runtime;
  const faults = metrics.counter(families.faults)();
  const ends = process.env["HEDDLE_FAULTS"] === "end";
  let recent: number[] = [];
  process.onFault((error) => {
    faults.add(1);
    log(
      `a bug of heddle was met: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
    const since = clock.now() - 60_000;
    recent = [...recent.filter((atMs) => atMs > since), clock.now()];
    if (!ends && recent.length <= limits.faultsPerMinuteMax) return;
    log(`giving up after ${recent.length} in a minute`);
    process.exit(faultExitCode);
  });
}
