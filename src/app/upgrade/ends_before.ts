/** How a mode ends whose successor begins after it: who connects meanwhile waits at its sockets. */
import type { KeptListeners } from "../kept_listeners.ts";
import type { Running } from "../running.ts";

export function endsBefore(
  kept: Pick<KeptListeners, "descriptors" | "hold" | "leave">,
  end: (deadlineMs: number) => Promise<void>,
): Pick<Running, "ceding" | "close"> {
  return {
    ceding: {
      beside: false,
      sockets: () => kept.descriptors,
      cede: async (deadlineMs) => {
        kept.hold();
        await end(deadlineMs);
      },
    },
    close: async (deadlineMs) => {
      await kept.leave();
      await end(deadlineMs);
    },
  };
}
