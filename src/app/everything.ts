/** Registry, controller and proxy of one machine in one process: `heddle init`, and `heddle dev`. */
import type { Runtime } from "../../runtime/contract.ts";
import { startController } from "./controller_mode.ts";
import { startProxy, type RunningProxy } from "./proxy_mode.ts";
import { startRegistry } from "./registry_mode.ts";
import type { Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";

export async function startEverything(
  runtime: Runtime,
  folder: StateFolder,
  settings: Settings,
): Promise<RunningProxy> {
  // A machine of a control plane without etcd has a controller alone: there is one registry.
  const registry = settings.modes.includes("registry")
    ? await startRegistry(runtime, folder, settings)
    : null;
  const controller = await startController(runtime, folder, settings);
  const proxy = await startProxy(runtime, folder, settings, {});
  const modes = [...(registry === null ? [] : [registry]), controller, proxy];
  return {
    waitsFor: () => modes.flatMap((mode) => mode.waitsFor()),
    status: () => proxy.status(),
    summary: modes.map((mode) => mode.summary).join("\n"),
    examples: proxy.examples,
    close: async (deadlineMs) => {
      await proxy.close(deadlineMs);
      await controller.close(deadlineMs);
      await registry?.close(deadlineMs);
    },
  };
}
