/** The service manager that would run heddle here: the machine's for root, their own for others; or none. */
import type { Files, ProcessHost } from "../../runtime/contract.ts";
import { UserError } from "../base/user_error.ts";
import { runCommand } from "./commands.ts";
import { systemdVersionMin } from "./units.ts";

export interface Manager {
  readonly scope: "system" | "user";
  readonly version: number;
  /** Where it looks for units that an administrator, or the user, wrote. */
  readonly units: string;
  /** Emptied by a reboot. */
  readonly runtimeFolder: string;
  /** `systemctl` of this manager. */
  readonly systemctl: readonly string[];
  /** `journalctl` of its units, up to the name of one. */
  readonly journal: readonly string[];
}

interface Host {
  readonly files: Files;
  readonly process: Pick<ProcessHost, "spawn" | "env" | "user" | "home">;
}

/** null: systemd does not run this machine (sd_booted(3)). Throws what keeps it from running heddle. */
export async function findManager({ files, process }: Host): Promise<Manager | null> {
  if ((await files.stat("/run/systemd/system")) === null) return null;
  const manager = process.user === 0 ? system : await userManager(files, process);
  const version = Number(/^systemd (\d+)/.exec(await runCommand(process, ["systemctl", "--version"]))?.[1]);
  if (version >= systemdVersionMin) return { ...manager, version };
  throw new UserError(
    `Cannot install services: they need systemd ${systemdVersionMin} or later, this is ${version}`,
    "Stay in the foreground: --foreground",
  );
}

const system: Omit<Manager, "version"> = {
  scope: "system",
  units: "/etc/systemd/system",
  runtimeFolder: "/run",
  systemctl: ["systemctl"],
  journal: ["journalctl", "--unit"],
};

async function userManager(
  files: Files,
  { env, user, home }: Host["process"],
): Promise<Omit<Manager, "version">> {
  const runtimeFolder = env["XDG_RUNTIME_DIR"] ?? `/run/user/${user}`;
  if ((await files.stat(`${runtimeFolder}/systemd/private`)) === null)
    throw new UserError(
      `Cannot install services: you are not root, and no service manager of yours runs (${runtimeFolder}/systemd is not there)`,
      "Run it as root (with sudo), which is for the whole machine; or get a manager of your own: sudo loginctl enable-linger $USER; or stay in the foreground: --foreground",
    );
  const config = env["XDG_CONFIG_HOME"] ?? `${home}/.config`;
  return {
    scope: "user",
    units: `${config}/systemd/user`,
    runtimeFolder,
    // Also where the login set no variable, as with su.
    systemctl: ["env", `XDG_RUNTIME_DIR=${runtimeFolder}`, "systemctl", "--user"],
    journal: ["journalctl", "--user-unit"],
  };
}
