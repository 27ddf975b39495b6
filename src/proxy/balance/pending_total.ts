/** What is under way to several endpoints together, kept up to date by them. */
import type { EndpointLoad } from "./endpoint_load.ts";

export class PendingTotal {
  pending = 0;

  constructor(readonly loads: readonly EndpointLoad[]) {
    for (const load of loads) {
      this.pending += load.pending;
      load.totals = [...load.totals, this];
    }
  }

  /** The endpoints tell it no more. */
  close(): void {
    for (const load of this.loads) load.totals = load.totals.filter((total) => total !== this);
  }
}
