/** Time, on hosts with the timers of Node. */
import { clearTimeout, setImmediate, setTimeout } from "node:timers";
import type { Clock, Timer } from "../contract.ts";

/** Above this, timers of the host fire at once: longer delays are waited for in parts. */
const partMs = 2 ** 31 - 1;

class HostTimer implements Timer {
  private handle: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly call: () => void,
    private readonly background: boolean,
  ) {}

  wait(delayMs: number): void {
    const rest = delayMs - partMs;
    this.handle = rest > 0 ? setTimeout(() => this.wait(rest), partMs) : setTimeout(this.call, delayMs);
    if (this.background) this.handle.unref();
  }

  cancel(): void {
    if (this.handle !== null) clearTimeout(this.handle);
  }
}

const hostTime: Omit<Clock, "now"> = {
  wallMs: () => Date.now(),
  after(delayMs, call, background = false) {
    const timer = new HostTimer(call, background);
    timer.wait(Math.max(0, delayMs));
    return timer;
  },
  soon(call) {
    setImmediate(call);
  },
  microtask: queueMicrotask,
};

/** `originMs`: what the clock of the machine said when that of this process said 0. */
export function createClock(originMs: number): Clock {
  return { ...hostTime, now: () => originMs + performance.now() };
}
