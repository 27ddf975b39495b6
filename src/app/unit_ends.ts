/**
 * A proxy that ends beside its units: `systemctl restart heddle-proxy web` stops both at once, whatever their order says, and an app that
 * finishes what it has still calls others.
 */
import type { Clock } from "../../runtime/contract.ts";
import { limits } from "../model/limits.ts";
import type { UnitWatch } from "../systemd/unit_watch.ts";

export interface UnitEndsOptions {
  readonly watch: Pick<UnitWatch, "follow">;
  readonly clock: Clock;
  readonly units: readonly string[];
}

/** Resolves when none of the units is stopping any more, or it is so late; at once where none is about to. */
export function unitsStopped({ watch, clock, units }: UnitEndsOptions, deadlineMs: number): Promise<void> {
  if (units.length === 0 || deadlineMs <= 0) return Promise.resolve();
  return new Promise((done) => {
    const stopping = new Set<string>();
    let looked = false;
    const end = (): void => {
      for (const timer of timers) timer.cancel();
      for (const each of followed) each.close();
      done();
    };
    const look = (): void => {
      if (looked && stopping.size === 0) end();
    };
    const timers = [
      // Theirs may come a little later than ours.
      clock.after(Math.min(limits.unitStopLookMs, deadlineMs), () => {
        looked = true;
        look();
      }),
      clock.after(deadlineMs, end),
    ];
    const followed = units.map((unit) =>
      watch.follow(unit, (state) => {
        if (state === "deactivating") stopping.add(unit);
        else stopping.delete(unit);
        look();
      }),
    );
  });
}
