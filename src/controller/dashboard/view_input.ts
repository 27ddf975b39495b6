/** What the pages are made of. */
import type { Catalog } from "../catalog.ts";
import type { Publisher } from "../publisher.ts";
import type { Snapshots } from "../snapshots.ts";
import type { TrafficHistory } from "./traffic_history.ts";
import type { TrafficWatch } from "./traffic_watch.ts";

export interface ViewInput {
  readonly trustDomain: string;
  readonly nowMs: number;
  readonly catalog: Catalog;
  readonly publisher: Publisher;
  readonly snapshots: Snapshots;
  readonly history: TrafficHistory;
  readonly watch: TrafficWatch;
  /** null: the registry answers. */
  readonly registryProblem: string | null;
  /** Members of the mesh, and those without the snapshot that they should have. */
  readonly machines: () => { readonly all: number; readonly behind: readonly string[] };
}
