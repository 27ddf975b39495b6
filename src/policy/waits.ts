/** Calls of a realm whose hooks wait for what the proxy finds out, by the tickets that it knows them by. Bundled with every policy. */
import type { CallContext } from "./call_context.ts";
import type { Given, Want } from "./want.ts";

/** Why a call cannot go on: it was one of too many, or its realm is gone. */
export const forgotten = "it does not wait for this any more";

/** A call whose promise was not settled when it ran. */
export class Waiting {
  /** Its decision as JSON; "" until there is one. */
  answer = "";
  #asked: readonly Want[] = [];

  constructor(
    readonly context: CallContext<never, unknown>,
    /** The one that it is about. */
    readonly exchange: string,
  ) {}

  /** What it waits for since it was asked last; [] when that is nothing. */
  ask(): readonly Want[] {
    this.#asked = this.context.wants ?? [];
    this.context.wants = null;
    return this.#asked;
  }

  settle(given: readonly Given[]): void {
    for (const [at, want] of this.#asked.entries()) want.settle(given[at]);
  }
}

export class Waits {
  readonly #held = new Map<number, Waiting>();
  #tickets = 0;

  constructor(private readonly most: number) {}

  /** What the call tells the proxy that it waits for; "" when it waits for nothing that could come. */
  keep(waiting: Waiting): string {
    const wants = waiting.ask();
    if (wants.length === 0) return "";
    const ticket = ++this.#tickets;
    this.#held.set(ticket, waiting);
    const [oldest] = this.#held.keys();
    if (this.#held.size > this.most && oldest !== undefined) this.#held.delete(oldest);
    return JSON.stringify({ do: "wait", ticket, wants: wants.map(({ asked }) => asked) });
  }

  /** Whoever waits under that ticket, once; null: nobody. */
  take(ticket: number, exchange: string): Waiting | null {
    const waiting = this.#held.get(ticket);
    if (waiting === undefined || waiting.exchange !== exchange) return null;
    this.#held.delete(ticket);
    return waiting;
  }
}
