/**
 * What runs on this machine, as its proxy goes by it: the document that it started with, or one that it was told to take over while it
 * ran. What stays the same goes on untouched; a document that cannot be used changes nothing.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { problemInLine } from "../base/result.ts";
import type { CredentialStore } from "../identity/credential_store.ts";
import { ownServices, type MachineDocument } from "../model/document.ts";
import type { ServiceName } from "../model/service.ts";
import type { DataPlane } from "../proxy/data_plane.ts";
import type { InstanceKeeper } from "./instance_keeper.ts";
import { readMachineFile } from "./machine_file.ts";
import { requireUsablePorts } from "./machine_ports.ts";
import type { MachineRenewal } from "./machine_renewal.ts";
import type { MeshNames } from "./mesh_names.ts";
import type { Settings } from "./settings.ts";
import type { SnapshotFollower } from "./snapshot_follower.ts";
import type { StateFolder } from "./state_folder.ts";

/** Whoever goes by the document. */
export interface MachineUsers {
  readonly plane: Pick<DataPlane, "changeMachine">;
  readonly instances: Pick<InstanceKeeper, "change">;
  readonly renewal: Pick<MachineRenewal, "changed">;
  readonly meshNames: Pick<MeshNames, "machineChanged">;
  readonly follower: Pick<SnapshotFollower, "wanted" | "report">;
  readonly store: Pick<CredentialStore, "load">;
}

export class LiveMachine {
  private constructor(
    readonly runtime: Runtime,
    readonly folder: StateFolder,
    readonly settings: Settings,
    private current: MachineDocument,
  ) {}

  /** Throws where the document is missing, or cannot be used. */
  static async read(runtime: Runtime, folder: StateFolder, settings: Settings): Promise<LiveMachine> {
    const machine = await readMachineFile(runtime, folder);
    requireUsablePorts(settings, machine);
    return new LiveMachine(runtime, folder, settings, machine);
  }

  get now(): MachineDocument {
    return this.current;
  }

  get services(): ServiceName[] {
    return ownServices(this.current);
  }

  /** Says what came of it. */
  async reload({ plane, instances, renewal, meshNames, follower, store }: MachineUsers): Promise<string> {
    try {
      const next = await readMachineFile(this.runtime, this.folder);
      if (JSON.stringify(next) === JSON.stringify(this.current)) return "the Machine document is as it was";
      requireUsablePorts(this.settings, next);
      await store.load(ownServices(next));
      plane.changeMachine(next);
      this.current = next;
      await instances.change(next);
      renewal.changed();
      meshNames.machineChanged();
      follower.wanted.ask();
      follower.report();
      return "the Machine document was taken over";
    } catch (error) {
      return `the Machine document cannot be taken over, and the one before stays: ${problemInLine(error)}`;
    }
  }
}
