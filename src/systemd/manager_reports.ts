/**
 * A running mode as its service manager hears of it: READY=1 once it serves and not before, STATUS= in words for people, WATCHDOG=1
 * from the same event loop that carries the traffic, so that one that stands still is missed; at its end STOPPING=1, and from then on
 * more time, in small steps, as long as that loop still turns (sd_notify(3)).
 */
import type { Clock, Timer } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import type { Notifier } from "./notify.ts";

/** What is told of. */
export interface Reported {
  /** What it still waits for before it serves, in words; empty: it serves. */
  waitsFor(): readonly string[];
  /** How things stand, on one line. */
  status(): string;
}

export class ManagerReports {
  #timer: Timer | null = null;
  #ready = false;
  #stopping = false;
  #said = "";

  constructor(
    readonly notifier: Pick<Notifier, "tell" | "listens" | "watchdogMs">,
    readonly clock: Clock,
    readonly reported: Reported,
  ) {}

  /** Reports from now on, until `stopping` and the end of the process. */
  begin(): void {
    if (this.notifier.listens) this.#look();
  }

  /** It takes no new work and will end. */
  stopping(): void {
    if (!this.notifier.listens) return;
    this.#stopping = true;
    this.#timer?.cancel();
    this.notifier.tell("STOPPING=1", "STATUS=finishing what is under way");
    this.#look();
  }

  /** Another process is the service now: its manager takes no word of this one any more. */
  end(): void {
    this.#timer?.cancel();
  }

  #look(): void {
    const { notifier, clock } = this;
    if (this.#stopping)
      notifier.tell(...this.#alive(), `EXTEND_TIMEOUT_USEC=${limits.managerExtendMs * 1000}`);
    else this.#report();
    this.#timer = clock.after(this.#nextMs(), () => this.#look(), true);
  }

  #report(): void {
    const missing = this.#ready ? [] : this.reported.waitsFor();
    const serves = missing.length === 0;
    const status = serves ? this.reported.status() : `waiting for ${missing.join(" and ")}`;
    const lines = [
      ...(serves && !this.#ready ? ["READY=1"] : []),
      ...(status === this.#said ? [] : [`STATUS=${status.replaceAll("\n", " ")}`]),
      ...this.#alive(),
    ];
    // What was not taken is said again.
    if (lines.length === 0 || !this.notifier.tell(...lines)) return;
    this.#said = status;
    this.#ready ||= serves;
  }

  #alive(): string[] {
    return this.notifier.watchdogMs === null ? [] : ["WATCHDOG=1"];
  }

  #nextMs(): number {
    if (!this.#ready && !this.#stopping) return limits.managerReadyLookMs;
    const { watchdogMs } = this.notifier;
    const pingMs = watchdogMs === null ? Infinity : watchdogMs / limits.managerPingsPerWatchdog;
    return Math.min(pingMs, this.#stopping ? limits.managerExtendMs / 4 : limits.managerStatusMs);
  }
}
