/** What a proxy shows at its admin port: whether it is ready, and what it goes by. */
import type { Clock } from "../../runtime/contract.ts";
import type { AdminPages } from "../admin/admin_pages.ts";
import type { CredentialStore } from "../identity/credential_store.ts";
import type { MachineDocument } from "../model/document.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { DataPlane } from "../proxy/data_plane.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { ControlPlaces } from "./control_places.ts";
import { ejectionsOf } from "./endpoint_states.ts";
import type { GatewayWatch } from "./gateway_watch.ts";
import type { InstanceKeeper } from "./instance_keeper.ts";
import type { MeshNames } from "./mesh_names.ts";
import type { Policies } from "./policies.ts";
import type { SnapshotFollower } from "./snapshot_follower.ts";

/** What any user of the machine may see of it. */
function withoutKeys(snapshot: Snapshot): Snapshot {
  const destinations = snapshot.destinations.map(({ sessionKey: _, sessionKeyBefore: __, ...rest }) => rest);
  return { ...snapshot, destinations };
}

export interface Shown {
  readonly places: ControlPlaces;
  readonly machine: () => MachineDocument;
  readonly store: CredentialStore;
  readonly follower: SnapshotFollower;
  readonly plane: Pick<DataPlane, "state">;
  readonly policies: Policies;
  readonly instances: InstanceKeeper;
  readonly meshNames: MeshNames;
  readonly gateways: GatewayWatch;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Whether it is asked to end; whether connections are accepted. */
  readonly ends: () => boolean;
  readonly accepts: () => boolean;
  /** What event loops in other processes counted; absent: there are none. */
  readonly gather?: () => Promise<void>;
}

export function pagesOf(shown: Shown): AdminPages {
  const { places, machine, store, follower, plane, policies, instances, meshNames, metrics, clock } = shown;
  const { ends, accepts, gather, gateways } = shown;
  return {
    metrics,
    ...(gather === undefined ? {} : { gather }),
    ready: () => ({
      identity: store.node !== null,
      member: follower.member,
      snapshot: plane.state !== null,
      listeners: !ends() && accepts(),
      policies: policies.ready(),
    }),
    config: () => ({
      settings: places.inForce,
      machine: machine(),
      ending: ends(),
      snapshot: plane.state === null ? null : withoutKeys(plane.state.snapshot),
      policies: policies.status(),
      apps: instances.status(),
      names: meshNames.status(),
      gateways: gateways.status(),
      ejected: ejectionsOf(plane.state, clock.now()),
    }),
  };
}
