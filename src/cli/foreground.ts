/**
 * Runs what a command started until a signal asks it to end, then drains it. A second signal ends it at once. Where a service manager
 * started the process, it is told how things stand, and another program may take over from it.
 */
import type { Runtime } from "../../runtime/contract.ts";
import type { Running } from "../app/running.ts";
import { Handover, type HandoverOptions } from "../app/upgrade/handover.ts";
import { OneAtATime } from "../base/one_at_a_time.ts";
import { ManagerReports } from "../systemd/manager_reports.ts";
import { Notifier } from "../systemd/notify.ts";

const nothingRead = "nothing is read again and nothing ends; SIGTERM ends it";

/** Who it is to those that would have another program take over from it. */
type Upgraded = Pick<HandoverOptions, "folder" | "mode" | "draining" | "ceded">;

export function runInForeground(
  runtime: Runtime,
  running: Running,
  drainMs: number,
  said: (text: string) => void,
  upgraded: Upgraded | null = null,
): Promise<never> {
  const { process: host, native, clock } = runtime;
  const notifier = new Notifier(native, host);
  const reports = new ManagerReports(notifier, clock, running);
  let stopping = false;
  let ceded = false;
  const stop = (signal: string): void => {
    if (stopping) host.exit(130);
    // It drains as long as it may, and now it may no longer.
    if (ceded) host.exit(0);
    stopping = true;
    reports.stopping();
    said(`${signal}: finishing what is under way (again: at once)`);
    running.close(drainMs).then(
      () => host.exit(0),
      () => host.exit(1),
    );
  };
  host.onSignal("SIGTERM", () => stop("SIGTERM"));
  host.onSignal("SIGINT", () => stop("SIGINT"));
  // A terminal that closes ends nobody's traffic; there is nothing to read again: documents come by themselves.
  const reload = running.reload?.bind(running);
  const read = new OneAtATime(async () => said(`SIGHUP: ${(await reload?.()) ?? nothingRead}`));
  host.onSignal("SIGHUP", () => read.ask());
  if (upgraded !== null && running.ceding !== undefined) {
    const handover = new Handover({
      ...{ ...upgraded, runtime, ceding: running.ceding, notifier, said },
      ceded: () => {
        ceded = true;
        reports.end();
        upgraded.ceded();
      },
    });
    host.onSignal("SIGUSR2", () => void (!stopping && handover.ask()));
  }
  reports.begin();
  return new Promise(() => {});
}
