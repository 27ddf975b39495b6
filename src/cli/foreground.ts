/** Runs what a command started until a signal asks it to end, then drains it. A second signal ends it at once. */
import type { ProcessHost } from "../../runtime/contract.ts";
import type { Running } from "../app/running.ts";

export function runInForeground(
  host: ProcessHost,
  running: Running,
  drainMs: number,
  said: (text: string) => void,
): Promise<never> {
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) host.exit(130);
    stopping = true;
    said(`${signal}: finishing what is under way (again: at once)`);
    running.close(drainMs).then(
      () => host.exit(0),
      () => host.exit(1),
    );
  };
  host.onSignal("SIGTERM", () => stop("SIGTERM"));
  host.onSignal("SIGINT", () => stop("SIGINT"));
  // A terminal that closes ends nobody's traffic; there is nothing to read again: documents come by themselves.
  host.onSignal("SIGHUP", () => said("SIGHUP: nothing is read again and nothing ends; SIGTERM ends it"));
  return new Promise(() => {});
}
