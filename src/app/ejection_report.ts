/**
 * Tells the controller which endpoints the proxy of this machine has taken out, so that `heddle status` shows them: when that
 * changes, and now and then while there are some. While the controller is away nobody hears of it, and nothing waits.
 */
import type { Clock } from "../../runtime/contract.ts";
import { controllerPaths } from "../api/messages.ts";
import type { ControlClient } from "../api/control.ts";
import { limits } from "../model/limits.ts";
import type { EjectedEndpoint } from "../model/service.ts";
import type { Ejection } from "./endpoint_states.ts";

export class EjectionReport {
  /** What the controller was told last, without times. */
  #told = "";
  #toldMs = -Infinity;
  #busy = false;

  constructor(
    readonly control: Pick<ControlClient, "call">,
    readonly clock: Pick<Clock, "now">,
    readonly ejections: () => readonly Ejection[],
  ) {}

  /** To be called now and then. */
  look(): void {
    if (this.#busy) return;
    const ejected = this.ejections().slice(0, limits.ejectionsToldMax);
    const said = ejected.map(({ endpoint, state, ejections }) => `${endpoint} ${state} ${ejections}`).join();
    const due = said !== "" && this.clock.now() - this.#toldMs >= limits.ejectionsRepeatMs;
    if (said === this.#told && !due) return;
    void this.#tell(ejected.map(toldOf), said);
  }

  async #tell(ejected: readonly EjectedEndpoint[], said: string): Promise<void> {
    this.#busy = true;
    this.#toldMs = this.clock.now();
    try {
      await this.control.call("PUT", controllerPaths.ejections, ejected);
      this.#told = said;
    } catch {
      // It is told again: the next look finds that it was not.
    } finally {
      this.#busy = false;
    }
  }
}

function toldOf({ service, endpoint, state, reason, probeInMs }: Ejection): EjectedEndpoint {
  return { service, endpoint, reason, probing: state === "probing", probeInMs };
}
