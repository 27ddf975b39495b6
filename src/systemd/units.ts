/**
 * The unit files of a machine, and what stands beside them, as text: pure functions of a description, by the version of systemd that is
 * there (what an older one would ignore with a warning is left out).
 */
import { limits } from "../model/limits.ts";
import { hardeningOfAnyone, hardeningOfSystem } from "./hardening.ts";
import { unitText, unitWord, writtenByHeddle, type UnitSection } from "./unit_text.ts";

export type ServiceMode = "registry" | "controller" | "proxy";

export interface UnitsDescription {
  /** Of systemd: 252. */
  readonly version: number;
  /** `system`: of the machine, as a user of their own; `user`: of one user's manager, as that user. */
  readonly scope: "system" | "user";
  /** Absolute path of the binary. */
  readonly program: string;
  /** A copy of the binary that this one, which a package brought, takes the place of; null: `program` is a copy. */
  readonly replaces: string | null;
  /** Absolute path of the state folder. */
  readonly state: string;
  /** In the order in which they start. */
  readonly modes: readonly ServiceMode[];
  /** Those that may listen on ports below 1024. */
  readonly lowPorts: readonly ServiceMode[];
  /** How long what is open may go on when a mode ends, as heddle's flag has it; null: the default. */
  readonly drain: string | null;
}

export interface UnitFile {
  /** `heddle-proxy.service`. */
  readonly name: string;
  readonly text: string;
}

/** Below it, parts of what the units say do not exist. */
export const systemdVersionMin = 249;
/** The first with RestartSteps=. */
const versionOfRestartSteps = 254;

/** User and group of the units of the machine. */
export const serviceUser = "heddle";
/** The state folder that systemd makes and owns. */
const systemState = "/var/lib/heddle";
export const runtimeFolder = "/run/heddle";

/** Of all services of heddle. */
export const slice = "heddle.slice";

export function unitName(mode: ServiceMode): string {
  return `heddle-${mode}.service`;
}

export function unitFiles(description: UnitsDescription): readonly UnitFile[] {
  return [
    { name: slice, text: unitText({ Unit: { Description: "heddle service mesh" } }) },
    ...description.modes.map((mode) => ({ name: unitName(mode), text: serviceText(mode, description) })),
  ];
}

const descriptions: Readonly<Record<ServiceMode, string>> = {
  registry: "heddle registry: which services run where",
  controller: "heddle controller: configuration and identities of the mesh",
  proxy: "heddle proxy: traffic of this machine's services",
};

function serviceText(mode: ServiceMode, description: UnitsDescription): string {
  const isSystem = description.scope === "system";
  return unitText({
    Unit: {
      Description: descriptions[mode],
      ...orderOf(mode, description),
      // However often it has failed, it is tried again: what it waits for may come back.
      StartLimitIntervalSec: "0",
    },
    Service: {
      ...processOf(mode, description),
      ...(isSystem ? ownershipOf(mode, description) : {}),
      ...resourcesOf(mode, description),
      ...(isSystem ? hardeningOfSystem(description.lowPorts.includes(mode)) : hardeningOfAnyone),
    },
    Install: { WantedBy: isSystem ? "multi-user.target" : "default.target" },
  });
}

/** A proxy waits for nobody: it starts from what is on disk. */
function orderOf(mode: ServiceMode, { scope, modes }: UnitsDescription): UnitSection {
  const registry = mode === "controller" && modes.includes("registry") ? unitName("registry") : null;
  const before = [scope === "system" ? "network.target" : null, registry].filter((each) => each !== null);
  return { Wants: registry, After: before.length === 0 ? null : before.join(" ") };
}

function processOf(mode: ServiceMode, description: UnitsDescription): UnitSection {
  const { program, state, drain, version } = description;
  const command = [program, mode, ...(drain === null ? [] : ["--drain", drain])];
  const steps = version >= versionOfRestartSteps;
  return {
    Type: "notify",
    NotifyAccess: "main",
    ExecStart: command.map(unitWord).join(" ").replaceAll("$", "$$$$"),
    // It takes a changed Machine document over.
    ExecReload: mode === "proxy" ? "/bin/kill -HUP $MAINPID" : null,
    Environment: unitWord(`HEDDLE_STATE=${state}`),
    UnsetEnvironment: "BUN_OPTIONS BUN_BE_BUN",
    Restart: "always",
    RestartSec: steps ? "100ms" : "1s",
    RestartSteps: steps ? "6" : null,
    RestartMaxDelaySec: steps ? "10s" : null,
    WatchdogSec: seconds(mode === "proxy" ? limits.proxyWatchdogMs : limits.controlWatchdogMs),
    // No core of a process that holds keys, and no time lost.
    WatchdogSignal: "SIGKILL",
    // A mode that ends asks for more, as long as it is alive.
    TimeoutStopSec: seconds(limits.serviceStopMs),
    // Of a process that took over: where the manager did not hear of it, it finds it there when the one before ends.
    PIDFile: `${state}/${mode}.pid`.replaceAll("%", "%%"),
    // Listeners, while one process ends and the next one starts.
    FileDescriptorStoreMax: String(limits.storedSocketsMax),
    KillMode: "mixed",
  };
}

/**
 * Parts of the state folder that a mode's processes cannot reach: the keys that sign everybody's identity and what an operator shows
 * are the controller's alone, and the proxy, which talks to everybody, gets nothing of the control plane.
 */
const closedTo: Readonly<Record<ServiceMode, readonly string[]>> = {
  controller: [],
  registry: ["authority", "control"],
  proxy: ["authority", "control", "registry"],
};

function ownershipOf(mode: ServiceMode, { state, modes }: UnitsDescription): UnitSection {
  const own = state === systemState;
  // The controller goes by it, and writes it when an address is added: into the file that is mounted there.
  const settings = mode !== "controller" && modes.includes("controller");
  return {
    User: serviceUser,
    Group: serviceUser,
    StateDirectory: own ? "heddle" : null,
    StateDirectoryMode: own ? "0700" : null,
    ReadWritePaths: own ? null : unitWord(state),
    RuntimeDirectory: mode === "proxy" ? "heddle" : null,
    RuntimeDirectoryMode: mode === "proxy" ? "0755" : null,
    RuntimeDirectoryPreserve: mode === "proxy" ? "yes" : null,
    ReadOnlyPaths: settings ? `-${unitWord(`${state}/heddle.json`)}` : null,
    InaccessiblePaths: closedTo[mode].map((name) => `-${unitWord(`${state}/${name}`)}`),
    OOMScoreAdjust: mode === "proxy" ? "-500" : null,
  };
}

/** The unit of a proxy whose machine has no control plane any more: what its controller tells of itself the proxy keeps there. */
export function withOwnSettings(text: string): string {
  return text.replaceAll(/^ReadOnlyPaths=.*\n/gm, "");
}

function resourcesOf(mode: ServiceMode, { scope }: UnitsDescription): UnitSection {
  return {
    Slice: slice,
    LimitNOFILE: scope === "system" ? "1048576" : null,
    LimitCORE: "0",
    TasksMax: "4096",
    MemoryMax: "50%",
    // A policy's process that took too much ends alone.
    OOMPolicy: mode === "registry" ? null : "continue",
  };
}

function seconds(ms: number): string {
  return `${ms / 1000}s`;
}

/** The user that the services run as, and its group (sysusers.d(5)). */
export function sysusersLine({ state }: UnitsDescription): string {
  return `u ${serviceUser} - "heddle service mesh" ${unitWord(state)} /usr/sbin/nologin`;
}

/** Folders that must be there (tmpfiles.d(5)). */
export function tmpfilesText({ state }: UnitsDescription): string {
  const folders = [
    [runtimeFolder, "0755"],
    [state, "0700"],
  ];
  const lines = folders.map(
    ([path = "", mode = ""]) => `d ${unitWord(path)} ${mode} ${serviceUser} ${serviceUser} -`,
  );
  return `${writtenByHeddle}\n${lines.join("\n")}\n`;
}
