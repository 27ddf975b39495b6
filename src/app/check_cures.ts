/** What a person types on this machine to start, end and read of a mode: by whether it is a service here or runs in the foreground. */
import type { Runtime } from "../../runtime/contract.ts";
import { findManager } from "../systemd/manager.ts";
import { unitName, type ServiceMode } from "../systemd/units.ts";

export interface Cures {
  /** `systemctl start heddle-proxy` */
  start(mode: ServiceMode): string;
  restart(mode: ServiceMode): string;
  log(mode: ServiceMode): string;
}

export async function curesOf({ files, process }: Pick<Runtime, "files" | "process">): Promise<Cures> {
  // Whoever is neither root nor has a manager sees no services of their own; those of the machine are there to be seen.
  const manager = await findManager({ files, process }).catch(() => null);
  const systemctl = manager?.systemctl.slice(manager.systemctl.indexOf("systemctl")).join(" ") ?? "systemctl";
  const journalctl = manager?.scope === "user" ? "journalctl --user -u" : "journalctl -u";
  const units = manager?.units ?? "/etc/systemd/system";
  const isService = (await files.stat(`${units}/${unitName("proxy")}`)) !== null;
  if (isService)
    return {
      start: (mode) => `${systemctl} start heddle-${mode}`,
      restart: (mode) => `${systemctl} restart heddle-${mode}`,
      log: (mode) => `${journalctl} heddle-${mode}`,
    };
  return {
    start: (mode) => `heddle ${mode}`,
    restart: (mode) => `end it, and start heddle ${mode} again`,
    log: () => "what it prints where it runs",
  };
}
