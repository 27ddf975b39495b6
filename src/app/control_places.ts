/**
 * Where a machine finds the control plane: as its settings say, and as the controller says while it is followed, which is kept there. A
 * machine that is a controller itself knows best.
 */
import type { Files } from "../../runtime/contract.ts";
import type { ControlPlace } from "../api/snapshot_messages.ts";
import { isSameAddress, type Address } from "../base/socket_address.ts";
import { problemOf } from "../base/result.ts";
import type { Where } from "./controller_link.ts";
import { settingsIn, writeSettings, type Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";

type Places = Pick<Settings, "controllers" | "registries">;

export class ControlPlaces implements Where {
  #now: Places;

  constructor(
    readonly files: Files,
    readonly folder: StateFolder,
    readonly settings: Settings,
    readonly log: (text: string) => void,
  ) {
    this.#now = { controllers: settings.controllers, registries: settings.registries };
  }

  /** The settings as they are in force. */
  get inForce(): Settings {
    return { ...this.settings, ...this.#now };
  }

  get trustDomain(): string {
    return this.settings.trustDomain;
  }

  readonly controllers = (): readonly Address[] => this.#now.controllers;
  readonly registries = (): readonly Address[] => this.#now.registries;

  /** Somebody may have said others on this machine, as `heddle join` does. */
  async look(): Promise<void> {
    const bytes = await this.files.read(this.folder.settings);
    if (bytes === null) return;
    const { controllers, registries } = settingsIn(bytes, this.folder.settings);
    this.#take({ controllers, registries });
  }

  /**
   * What the controller said; where it was reached stays known, since that works here. Never throws: what cannot be written is known until
   * the next start.
   */
  async told({ controllers, registries }: ControlPlace, reached: Address | null): Promise<void> {
    const { files, folder, settings } = this;
    // Its controller has written them there.
    if (settings.modes.includes("controller")) return this.look().catch((error) => this.#lost("read", error));
    const [registry, ...otherRegistries] = registries;
    const known = reached === null || isAmong(reached, controllers) ? controllers : [reached, ...controllers];
    const [controller, ...otherControllers] = known;
    if (registry === undefined || controller === undefined) return;
    const next: Places = {
      controllers: [controller, ...otherControllers],
      registries: [registry, ...otherRegistries],
    };
    if (!this.#take(next)) return;
    try {
      const bytes = await files.read(folder.settings);
      const written = bytes === null ? settings : settingsIn(bytes, folder.settings);
      await writeSettings(files, folder, { ...written, ...next });
    } catch (error) {
      this.#lost("keep", error);
    }
  }

  #lost(what: string, error: unknown): void {
    this.log(`cannot ${what} where the control plane is: ${problemOf(error)}`);
  }

  /** Returns whether they are others. */
  #take(next: Places): boolean {
    const same =
      isSame(next.controllers, this.#now.controllers) && isSame(next.registries, this.#now.registries);
    if (!same) this.#now = next;
    return !same;
  }
}

function isAmong(one: Address, others: readonly Address[]): boolean {
  return others.some((each) => isSameAddress(each, one));
}

function isSame(some: readonly Address[], others: readonly Address[]): boolean {
  return (
    some.length === others.length &&
    some.every((each, at) => isSameAddress(each, others[at] ?? { host: "", port: 0 }))
  );
}
