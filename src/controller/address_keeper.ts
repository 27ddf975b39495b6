/** Gives services their virtual addresses, whenever what the registry holds says that some are missing. */
import { planAddresses } from "./address_plan.ts";
import { declaredServices } from "../model/document.ts";
import { addressesMark, type Catalog } from "./catalog.ts";
import type { StateStore } from "./state_store.ts";

export interface AddressKeeperOptions {
  readonly catalog: Pick<Catalog, "documents" | "addresses" | "addressed" | "reached">;
  readonly store: Pick<StateStore, "commit">;
  readonly wallMs: () => number;
}

export class AddressKeeper {
  #busy = false;

  constructor(readonly options: AddressKeeperOptions) {}

  /** The catalog changed. What cannot be done now is tried with its next change. */
  async look(): Promise<void> {
    const { catalog, store, wallMs } = this.options;
    if (this.#busy || catalog.documents === null) return;
    const services = declaredServices(catalog.documents);
    const mark = catalog.addressed;
    const operations = planAddresses({ services, addresses: catalog.addresses, nowMs: wallMs() });
    if (operations.length === 0) return;
    this.#busy = true;
    try {
      const marked = { do: "put", key: addressesMark, value: JSON.stringify({ after: mark }) } as const;
      const { revision } = await store.commit(
        [{ key: addressesMark, modified: mark }],
        [...operations, marked],
      );
      await catalog.reached(revision);
    } catch {
      return;
    } finally {
      this.#busy = false;
    }
    // What changed meanwhile had no look of its own.
    await this.look();
  }
}
