/**
 * For tests of what ends a shard: where the environment says HEDDLE_FAULTS=end, which no unit of heddle does, a signal makes it throw, stand
 * still or fill its memory. That lets nobody do what they could not: the kernel takes signals from root and from its own user alone, who may kill it.
 */
import type { Clock, ProcessHost } from "../../../runtime/contract.ts";

/** At a time. */
const fillBytes = 4 * 1024 * 1024;

export function endOnSignal(
  process: Pick<ProcessHost, "env" | "onSignal">,
  clock: Pick<Clock, "after">,
): void {
  if (process.env["HEDDLE_FAULTS"] !== "end") return;
  process.onSignal("SIGUSR2", () => {
    throw new Error("a test wants it");
  });
  process.onSignal("SIGTTIN", () => {
    for (;;);
  });
  const kept: Uint8Array[] = [];
  const fill = (): void => {
    kept.push(new Uint8Array(fillBytes).fill(1));
    clock.after(1, fill);
  };
  process.onSignal("SIGTTOU", fill);
}
