/** What carries the traffic of a proxy, as the rest of the proxy sees it: the one data plane of its own process, or those of several others. */
import type { Snapshot } from "../model/snapshot.ts";
import type { DataPlane } from "../proxy/data_plane.ts";
import type { Shedder } from "../proxy/limit/shedder.ts";
import type { RateLeasesOptions } from "./rate_leases.ts";
import type { MeshNamesOptions } from "./mesh_names.ts";

export interface ProxyPlane extends Pick<
  DataPlane,
  | "state"
  | "addresses"
  | "changeMachine"
  | "credentialsChanged"
  | "wanted"
  | "missing"
  | "loopDelayed"
  | "close"
  | "cede"
> {
  readonly virtual: MeshNamesOptions["listeners"];
  readonly rates: RateLeasesOptions["rates"];
  readonly shedding: Pick<Shedder, "admits">;
  /** Throws when a port is taken, naming its holder; nothing stays open then. */
  open(): void | Promise<void>;
  /** Puts a snapshot in force everywhere; throws, and nowhere is anything changed, when it cannot be. */
  apply(snapshot: Snapshot): void | Promise<void>;
}
