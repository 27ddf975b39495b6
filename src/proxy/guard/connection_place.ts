/** The place of one opaque connection among those to its service (`limits.connections`), for which it may have to wait. */
import type { Claim } from "../share/claim.ts";
import type { FairGate } from "../share/fair_gate.ts";
import type { Flow } from "../share/flow.ts";
import type { Entrant } from "./admission.ts";

/** At most one of the two is called, maybe from inside of `begin`. */
export interface PlaceOwner {
  placed(): void;
  turnedAway(limit: "pendingMax" | "pendingMs"): void;
}

export class ConnectionPlace implements Entrant {
  #claim: Claim<Entrant> | null = null;

  constructor(
    readonly gate: FairGate<Entrant>,
    readonly flow: Flow,
    readonly owner: PlaceOwner,
  ) {}

  /** False: it waits. */
  begin(nowMs: number): boolean {
    const claim = this.flow.claimOn(this.gate);
    const answer = this.gate.ask(claim, this, nowMs);
    if (answer === "waits") return false;
    if (answer === "enters") {
      this.#claim = claim;
      this.owner.placed();
    } else this.owner.turnedAway("pendingMax");
    return true;
  }

  admitted(): void {
    this.#claim = this.flow.claimOn(this.gate);
    this.owner.placed();
  }

  overdue(): void {
    this.owner.turnedAway("pendingMs");
  }

  /** Gives it back, or waits for it no longer. */
  leave(): void {
    if (this.#claim === null) this.gate.forget(this);
    else this.gate.leave(this.#claim);
    this.#claim = null;
  }
}
