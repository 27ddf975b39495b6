/** What `heddle init` and `heddle join` tell a program of the machine they set up. */
import type { Settings } from "../app/settings.ts";
import type { StateFolder } from "../app/state_folder.ts";

export function machineAnswer(settings: Settings, folder: StateFolder): Record<string, unknown> {
  const { trustDomain, node, address, controllers } = settings;
  // The first alone, too: what programs knew before there could be several.
  const [controller] = controllers;
  return { node, trustDomain, address, controller, controllers, state: folder.path };
}
