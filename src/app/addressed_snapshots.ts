/** Snapshots on their way into force, one after the other, with the addresses of external services; again when those change. */
import type { Clock, Names } from "../../runtime/contract.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { ExternalNames } from "./external_names.ts";

export interface AddressedSnapshotsOptions {
  readonly names: Names;
  readonly clock: Clock;
  readonly log: (text: string) => void;
  /** Puts it in force; throws what is wrong with it. */
  readonly apply: (snapshot: Snapshot) => void | Promise<void>;
}

export class AddressedSnapshots {
  readonly #names: ExternalNames;
  /** In force, as it came: names of external services stand in it. */
  #inForce: Snapshot | null = null;
  #applying: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(readonly options: AddressedSnapshotsOptions) {
    const { names, clock, log } = options;
    this.#names = new ExternalNames({ names, clock, log, changed: () => void this.#again() });
  }

  async apply(snapshot: Snapshot): Promise<void> {
    await this.#enforce(() => snapshot);
  }

  close(): void {
    this.#closed = true;
    this.#names.close();
  }

  /** After those before it; `snapshot` is asked for then. */
  async #enforce(snapshot: () => Snapshot | null): Promise<void> {
    const now = this.#applying.then(async () => {
      const next = snapshot();
      if (next === null) return;
      await this.options.apply(this.#names.withAddresses(next));
      this.#inForce = next;
    });
    this.#applying = now.catch(() => {});
    await now;
  }

  async #again(): Promise<void> {
    if (this.#closed) return;
    await this.#enforce(() => this.#inForce).catch((error: Error) =>
      this.options.log(`cannot use new addresses of external services: ${error.message}`),
    );
  }
}
