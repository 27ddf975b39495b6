/** What `heddle init` and `heddle join` tell a program of the machine they set up. */
import type { Settings } from "../app/settings.ts";
import type { StateFolder } from "../app/state_folder.ts";

export function machineAnswer(settings: Settings, folder: StateFolder): Record<string, unknown> {
  const { trustDomain, node, address, controller } = settings;
  return { node, trustDomain, address, controller, state: folder.path };
}
