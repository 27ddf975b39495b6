/**
 * Keeps this machine's slices of the rates that the mesh shares: asks the controller for them while there are any, over the
 * connection of its other calls. The even share of each is kept on disk, so that a proxy that starts while the controller is away
 * has something to begin with.
 */
import type { Clock, Files } from "../../runtime/contract.ts";
import type { ControlClient } from "../api/control.ts";
import { controllerPaths } from "../api/messages.ts";
import type { RatesAnswer } from "../api/snapshot_messages.ts";
import { readJson } from "../identity/credential_store.ts";
import { limits } from "../model/limits.ts";
import { isSharedCounter } from "../model/shared_counter.ts";
import type { RateSlice, SliceAsk } from "../model/rate_slice.ts";

export interface RateLeasesOptions {
  readonly files: Pick<Files, "read" | "writeAtomic">;
  readonly clock: Clock;
  /** Where even shares are kept. */
  readonly path: string;
  readonly control: Pick<ControlClient, "call">;
  readonly rates: {
    /** What to ask for now, by service. */
    asks(): Readonly<Record<string, SliceAsk>>;
    /** The answer to what was asked at `askedMs`. */
    given(slices: Readonly<Record<string, RateSlice>>, askedMs: number): void;
  };
  readonly log: (text: string) => void;
}

export class RateLeases {
  /** Requests a second, by service: what to begin with. */
  even: ReadonlyMap<string, number> = new Map();
  /** Why the controller could not be asked; null while it could. */
  #problem: string | null = null;
  #closed = false;

  constructor(readonly options: RateLeasesOptions) {}

  /** From disk, whoever wrote it. */
  async load(): Promise<void> {
    const { files, path } = this.options;
    const kept = await readJson<unknown>(files, path).catch(() => null);
    if (typeof kept !== "object" || kept === null) return;
    const shares = Object.entries(kept).filter(
      (each): each is [string, number] => Number.isFinite(each[1]) && (each[1] as number) >= 0,
    );
    this.even = new Map(shares.slice(0, limits.servicesPerNodeMax));
  }

  /** Asks from now on. */
  begin(): void {
    if (this.#closed) return;
    this.options.clock.after(limits.rateSliceAskMs, () => void this.#turn(), true);
  }

  close(): void {
    this.#closed = true;
  }

  async #turn(): Promise<void> {
    const asks = this.options.rates.asks();
    if (Object.keys(asks).length > 0) await this.#ask(asks);
    this.begin();
  }

  async #ask(asks: Readonly<Record<string, SliceAsk>>): Promise<void> {
    const { control, clock, rates } = this.options;
    const askedMs = clock.now();
    try {
      // An answer that comes later is no use: the slice is counted from when it was asked for.
      const answer = await control.call("POST", controllerPaths.rates, asks, limits.rateSliceMs);
      const { slices } = answer.body as RatesAnswer;
      rates.given(slices, askedMs);
      this.#problem = null;
      await this.#keep(slices);
    } catch (error) {
      this.#cannotAsk((error as Error).message);
    }
  }

  async #keep(slices: Readonly<Record<string, RateSlice>>): Promise<void> {
    const shares = Object.entries(slices)
      .filter(([service]) => !isSharedCounter(service))
      .map(([service, { evenPerSecond }]) => [service, evenPerSecond] as const);
    if (shares.every(([service, share]) => this.even.get(service) === share)) return;
    this.even = new Map(shares);
    const { files, path, log } = this.options;
    await files
      .writeAtomic(path, JSON.stringify(Object.fromEntries(shares)), 0o600)
      .catch((error: Error) => log(`cannot save the shares of rates: ${error.message}`));
  }

  #cannotAsk(problem: string): void {
    if (this.#problem === null)
      this.options.log(`cannot ask for slices of shared rates, going on with what there is: ${problem}`);
    this.#problem = problem;
  }
}
