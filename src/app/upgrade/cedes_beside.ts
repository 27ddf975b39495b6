/** How a proxy ends whose successor serves already, and is this machine to the mesh: what is open in it alone goes on. */
import type { Answers } from "../answers.ts";
import type { InstanceKeeper } from "../instance_keeper.ts";
import type { MachineRenewal } from "../machine_renewal.ts";
import type { ProxyObservation } from "../proxy_observation.ts";
import type { ProxyPlane } from "../proxy_plane.ts";
import type { SnapshotFollower } from "../snapshot_follower.ts";
import type { Succession } from "../succession.ts";
import type { Ceding } from "./handover.ts";

interface Parts {
  readonly succession: Pick<Succession, "descriptors">;
  /** What serves and tells besides the plane. */
  readonly telling: readonly { close(): void }[];
  readonly admin: { close(deadlineMs: number): Promise<void> } | null;
  readonly renewal: Pick<MachineRenewal, "close">;
  readonly follower: Pick<SnapshotFollower, "listenOnly" | "close">;
  readonly instances: Pick<InstanceKeeper, "leave">;
  readonly plane: Pick<ProxyPlane, "cede">;
  readonly answers: Pick<Answers, "cancelAll">;
  readonly observation: Pick<ProxyObservation, "close">;
  readonly ends: () => void;
}

export function cedesBeside(parts: Parts): Ceding {
  return {
    beside: true,
    sockets: () => parts.succession.descriptors,
    cede: async (deadlineMs) => {
      parts.ends();
      for (const each of parts.telling) each.close();
      await parts.admin?.close(0);
      parts.renewal.close();
      parts.follower.listenOnly();
      await parts.instances.leave();
      await parts.plane.cede(deadlineMs);
      // Until now it heard of what was revoked.
      parts.follower.close();
      parts.answers.cancelAll();
      await parts.observation.close();
    },
  };
}
