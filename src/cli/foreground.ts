/**
 * Runs what a command started until a signal asks it to end, then drains it. A second signal ends it at once. Where a service manager
 * started the process, it is told how things stand.
 */
import type { Runtime } from "../../runtime/contract.ts";
import type { Running } from "../app/running.ts";
import { OneAtATime } from "../base/one_at_a_time.ts";
import { ManagerReports } from "../systemd/manager_reports.ts";
import { Notifier } from "../systemd/notify.ts";

const nothingRead = "nothing is read again and nothing ends; SIGTERM ends it";

export function runInForeground(
  { process: host, native, clock }: Pick<Runtime, "process" | "native" | "clock">,
  running: Running,
  drainMs: number,
  said: (text: string) => void,
): Promise<never> {
  const reports = new ManagerReports(new Notifier(native, host), clock, running);
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) host.exit(130);
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
  reports.begin();
  return new Promise(() => {});
}
