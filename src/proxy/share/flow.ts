/**
 * What one client asks for: a connection of a local app, or another proxy, where the clients behind it can be told apart.
 * It has a claim on each gate that it comes to, and takes no more there than its share.
 */
import { limits } from "../../model/limits.ts";
import type { Claim } from "./claim.ts";
import type { FairGate } from "./fair_gate.ts";

export class Flow {
  #claims: Map<object, unknown> | null = null;
  #parts: Map<string, Flow> | null = null;
  /** Those of before there were too many. */
  #partsBefore: Map<string, Flow> | null = null;

  constructor(
    /** Key of the service that calls. */
    readonly caller: string,
    /** How it is told to the other proxy. */
    readonly name = "",
    /** What tells it apart in all event loops of this machine; null: it comes by this one alone. */
    private readonly everywhere: string | null = null,
  ) {}

  claimOn<W>(gate: FairGate<W>): Claim<W> {
    const claims = (this.#claims ??= new Map());
    const known = claims.get(gate) as Claim<W> | undefined;
    if (known !== undefined) return known;
    if (claims.size >= limits.flowClaimsMax) forgetIdle(claims);
    const claim = gate.claimOf(this.caller, this.everywhere);
    claims.set(gate, claim);
    return claim;
  }

  /** The part of it that the other proxy tells apart by this name. One that has not been heard of for long begins anew. */
  part(name: string): Flow {
    if (name.length > limits.flowNameLengthMax) return this;
    const known = this.#parts?.get(name);
    if (known !== undefined) return known;
    const part = this.#partsBefore?.get(name) ?? this.#newPart(name);
    if (this.#parts === null || this.#parts.size >= limits.flowPartsMax) {
      this.#partsBefore = this.#parts;
      this.#parts = new Map();
    }
    this.#parts.set(name, part);
    return part;
  }

  #newPart(name: string): Flow {
    const everywhere = this.everywhere === null ? null : `${this.everywhere} ${name}`;
    return new Flow(this.caller, name, everywhere);
  }
}

function forgetIdle(claims: Map<object, unknown>): void {
  for (const [gate, claim] of claims) if ((claim as Claim<unknown>).idle) claims.delete(gate);
}
