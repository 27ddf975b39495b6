/**
 * heddle as services of this machine: what `init` and `join` install where systemd runs it, and `uninstall` takes away. Membership of
 * the mesh is made before, by those commands; everything here may be repeated, and what was interrupted is finished by repeating it.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { UserError } from "../base/user_error.ts";
import { formatDuration } from "../base/duration.ts";
import { ports } from "../model/ports.ts";
import { limits } from "../model/limits.ts";
import { applyPlan, pendingSteps, requireOwnFiles } from "../systemd/apply.ts";
import { installationSteps, removalSteps, tmpfiles } from "../systemd/installation.ts";
import { interceptSteps } from "../systemd/intercept_units.ts";
import { hostsSteps } from "../systemd/hosts.ts";
import { asksResolved, resolverRemoval, resolverSteps } from "../systemd/resolver.ts";
import { runCommand } from "../systemd/commands.ts";
import { coupledUnits, uncoupling } from "../systemd/drop_in.ts";
import { findManager, type Manager } from "../systemd/manager.ts";
import { asOneChanger } from "../systemd/one_changer.ts";
import { planLines, undoOf, type Step } from "../systemd/plan.ts";
import { isManaged, troublesOf } from "../systemd/unit_state.ts";
import {
  serviceUser,
  unitName,
  withOwnSettings,
  type ServiceMode,
  type UnitsDescription,
} from "../systemd/units.ts";
import { userId } from "../systemd/user_id.ts";
import { drainOfUnit, stateOfUnit } from "../systemd/unit_text.ts";
import { examplesBySettings } from "./examples.ts";
import { readMachineFile } from "./machine_file.ts";
import { proxyRuns } from "./own_proxy.ts";
import { modes, type Settings } from "./settings.ts";
import type { StateFolder } from "./state_folder.ts";
import { isOldLayout, settleLayout } from "./state_layout.ts";

/** What runs here, as far as units depend on it. */
export type ServicesWanted = Pick<Settings, "modes" | "controllers" | "registries"> & {
  /** Where names are answered: this machine's resolver is told. Absent: by default. */
  readonly loopback?: string;
  readonly ports?: Pick<Settings["ports"], "dns">;
};

export class MachineServices {
  #isChanger = false;

  private constructor(
    readonly runtime: Runtime,
    readonly folder: StateFolder,
    readonly manager: Manager,
    /** Look-ups of this machine go to systemd-resolved, which can be told whom to ask. */
    readonly resolved: boolean,
  ) {}

  /** null: no systemd runs this machine. Throws what keeps heddle from being a service of it. */
  static async find(runtime: Runtime, folder: StateFolder): Promise<MachineServices | null> {
    const manager = await findManager(runtime);
    if (manager === null) return null;
    const resolved = manager.scope === "system" && (await asksResolved(runtime.files));
    return new MachineServices(runtime, folder, manager, resolved);
  }

  /** Throws what would keep the installation from its end, before anything is done or spent. */
  async requireInstallable(wanted: ServicesWanted): Promise<void> {
    const { runtime, folder, manager } = this;
    if (runtime.process.self.length !== 1)
      throw new UserError(
        "Cannot install services: heddle runs from its sources",
        "Compile it (npm run compile) and run dist/heddle; or stay in the foreground: --foreground",
      );
    await requireOwnFiles(runtime.files, this.#steps(wanted, null));
    await this.#requireOneState();
    if (manager.scope === "user") return;
    requireVisible(folder);
    await this.#requireUser();
  }

  /** Throws where they are not installed here, or have their state elsewhere. */
  async requireInstalled(action: string): Promise<void> {
    if ((await this.#installedState()) !== null) return this.#requireOneState();
    throw new UserError(
      `Cannot ${action}: heddle is no service of this machine`,
      "heddle init on the first machine, heddle join on the others, make it one",
    );
  }

  /** For --plan. */
  plan(wanted: ServicesWanted, drainMs: number): readonly string[] {
    return planLines(this.#steps(wanted, drainMs));
  }

  /** Does work that changes services, while no other command of this machine does. `action`: for people. Throws, naming who does. */
  async alone<T>(action: string, work: () => Promise<T>): Promise<T> {
    if (this.#isChanger) return await work();
    return await asOneChanger(this.runtime, this.#lock, action, async () => {
      this.#isChanger = true;
      return await work().finally(() => (this.#isChanger = false));
    });
  }

  /**
   * Does what the services must hear of, whatever comes between here and `install`: from `changing` on, which the work calls before it
   * changes anything, they are to be started again, unless it says at its end that nothing was changed. Where it fails after that, those
   * that are there will be.
   */
  async around<T>(
    work: (changing: () => Promise<void>) => Promise<T>,
    isChanged: (made: T) => boolean,
  ): Promise<T> {
    const { files } = this.runtime;
    const stood = (await files.stat(this.#mark)) !== null;
    let keeps = stood;
    try {
      const made = await work(async () => {
        keeps = stood || (await this.#installedState()) !== null;
        await files.writeAtomic(this.#mark, "");
      });
      keeps = stood || isChanged(made);
      return made;
    } finally {
      if (!keeps) await files.remove(this.#mark);
    }
  }

  /** Files, user, units; enabled and started, or started again where something was changed. Resolves when all of them serve. */
  async install(wanted: ServicesWanted, drainMs: number, said: (text: string) => void): Promise<void> {
    await this.alone("install services", () => this.#install(wanted, drainMs, said));
  }

  async #install(wanted: ServicesWanted, drainMs: number, said: (text: string) => void): Promise<void> {
    const { runtime, manager } = this;
    const options = { mark: this.#mark, said };
    try {
      await this.#settleLayout(wanted);
      await applyPlan(runtime, this.#steps(wanted, drainMs), options);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const troubles = await troublesOf(runtime.process, manager, wanted.modes.map(unitName));
      throw new UserError(
        [error.message, ...troubles].join("\n"),
        error.hint ?? "Mend that, and repeat the command: it goes on where it ended",
      );
    }
  }

  /** What an older version kept elsewhere in the state folder. Whatever has it open stops before, and starts with what follows. */
  async #settleLayout({ modes }: ServicesWanted): Promise<void> {
    const { runtime, folder, manager } = this;
    if (!(await isOldLayout(runtime.files, folder))) return;
    await runtime.files.writeAtomic(this.#mark, "");
    const parts = (["controller", "registry"] as const).filter((mode) => modes.includes(mode));
    for (const part of parts) {
      const unit = unitName(part);
      if (await isManaged(runtime.process, manager, unit))
        await runCommand(runtime.process, [...manager.systemctl, "stop", unit]);
    }
    for (const part of parts) await settleLayout(runtime.files, folder, part);
  }

  /** How long what is open may go on when they end, as the units say it; null: by default. */
  async drain(): Promise<string | null> {
    const bytes = await this.runtime.files.read(`${this.manager.units}/${unitName("proxy")}`);
    return bytes === null ? null : drainOfUnit(new TextDecoder().decode(bytes));
  }

  /** A proxy that somebody started by hand has the ports. */
  async requireNoOther(standing: Settings): Promise<void> {
    const { runtime, manager } = this;
    if (!(await proxyRuns(runtime, standing))) return;
    if (await isManaged(runtime.process, manager, unitName("proxy"))) return;
    throw new UserError(
      "Cannot start services: a proxy of this machine runs already, in the foreground",
      "End it (Ctrl-C where it runs), then repeat the command",
    );
  }

  /** What people want to know of them. */
  async words(settings: Settings): Promise<readonly string[]> {
    const machine = await readMachineFile(this.runtime, this.folder);
    const { scope, journal } = this.manager;
    const names = modes.filter((mode) => settings.modes.includes(mode)).map((mode) => `heddle-${mode}`);
    const log = [...journal, names.at(-1) ?? ""].join(" ").replace("--unit", "-u");
    const begin =
      scope === "system"
        ? "with it"
        : "when you log in (with the machine: sudo loginctl enable-linger $USER)";
    return [
      `Services of this machine, which start ${begin}: ${names.join(", ")}`,
      `Their logs: ${log}    To remove them: heddle uninstall`,
      ...examplesBySettings(machine, settings).map((line) => `  ${line}`),
    ];
  }

  /** Ends services of this machine for good, and takes their units away; the others go on. */
  async retire(modes: readonly ServiceMode[], said: (text: string) => void): Promise<void> {
    const { manager, runtime } = this;
    const paths = modes.map((mode) => `${manager.units}/${unitName(mode)}`);
    const steps = modes.flatMap((mode, at): Step[] => {
      const [path = ""] = paths.slice(at, at + 1);
      const command = [...manager.systemctl, "disable", "--now", unitName(mode)];
      return [
        { kind: "run", command, when: "always", undo: null, needs: [path] },
        { kind: "remove", path, onlyOwn: true },
      ];
    });
    const reload: Step = {
      kind: "run",
      command: [...manager.systemctl, "daemon-reload"],
      when: "changed",
      undo: null,
    };
    const proxy = `${manager.units}/${unitName("proxy")}`;
    const bytes = await runtime.files.read(proxy);
    const text = bytes === null ? null : withOwnSettings(new TextDecoder().decode(bytes));
    const rest: Step[] = text === null ? [] : [{ kind: "write", path: proxy, text }];
    const options = { mark: `${this.#mark}.retired`, said };
    await this.alone("remove services", () => applyPlan(runtime, [...steps, ...rest, reload], options));
  }

  /** Removes what is there, and what interrupted attempts left. */
  async remove(purge: boolean, said: (text: string) => void): Promise<void> {
    const { runtime } = this;
    await this.alone("remove services", async () => {
      await applyPlan(runtime, await this.#removal(purge), { mark: this.#mark, said });
      await runtime.files.remove(this.#lock);
    });
  }

  /** What of that does something here: nothing where nothing is installed. */
  async removal(purge: boolean): Promise<readonly Step[]> {
    const steps = await pendingSteps(this.runtime.files, await this.#removal(purge));
    const isThere = steps.some((step) => step.kind !== "run" || (step.needs ?? []).length > 0);
    return isThere || (await this.runtime.files.stat(this.#mark)) !== null ? steps : [];
  }

  async #removal(purge: boolean): Promise<readonly Step[]> {
    const state = (await this.#installedState()) ?? this.folder.path;
    const all = { ...this.#description({ modes: [...modes] }, null), state };
    const { scope, units } = this.manager;
    const [hosts, resolver] =
      scope === "system" ? [undoOf(hostsSteps(units, all.program)), resolverRemoval()] : [[], []];
    const coupled = await coupledUnits(this.runtime.files, this.manager);
    return [
      ...uncoupling(this.manager, coupled),
      ...hosts,
      ...(scope === "system" ? undoOf(interceptSteps(units, all.program)) : []),
      ...removalSteps(this.manager, all, purge),
      ...resolver,
    ];
  }

  /** What the units run. */
  get program(): string {
    return this.#description({ modes: [] }, null).program;
  }

  get #lock(): string {
    return `${this.manager.runtimeFolder}/heddle.lock`;
  }

  get #mark(): string {
    return `${this.manager.runtimeFolder}/heddle.changing`;
  }

  #steps(wanted: ServicesWanted, drainMs: number | null): readonly Step[] {
    const description = this.#description(wanted, drainMs);
    const { manager } = this;
    const units = installationSteps(manager, description);
    const { loopback: host = "127.0.0.1", ports: { dns: port = ports.dns } = {} } = wanted;
    if (manager.scope === "user" || port === 0) return units;
    // First, and so last to go: it starts the resolver again only where its own file is another one.
    if (this.resolved) return [...resolverSteps(manager.version, { host, port }), ...units];
    // No address stands on a loopback that others share.
    return host === "127.0.0.1" ? [...units, ...hostsSteps(manager.units, description.program)] : units;
  }

  #description(
    wanted: Pick<ServicesWanted, "modes"> & Partial<ServicesWanted>,
    drainMs: number | null,
  ): UnitsDescription {
    const { scope, version } = this.manager;
    const { home, program } = this.runtime.process;
    // That is the package manager's: it is run where it is.
    const isPackaged = scope === "system" && program === packaged;
    const isLow = (port: number | undefined): boolean => port !== undefined && port > 0 && port < lowPortsEnd;
    const low: readonly (readonly [ServiceMode, boolean])[] = [
      ["registry", isLow(wanted.registries?.[0].port)],
      ["controller", isLow(wanted.controllers?.[0].port)],
      // Whatever its documents say tomorrow.
      ["proxy", true],
    ];
    return {
      version,
      scope,
      program: isPackaged ? packaged : scope === "system" ? copied : `${home}/.local/bin/heddle`,
      replaces: isPackaged ? copied : null,
      state: this.folder.path,
      modes: modes.filter((mode) => wanted.modes.includes(mode)),
      lowPorts: low.flatMap(([mode, isNeeded]) => (isNeeded ? [mode] : [])),
      drain: drainMs === null || drainMs === limits.drainMs ? null : formatDuration(drainMs),
    };
  }

  /** Where the services that are installed keep their state; null: there are none. */
  async #installedState(): Promise<string | null> {
    const bytes = await this.runtime.files.read(`${this.manager.units}/${unitName("proxy")}`);
    return bytes === null ? null : stateOfUnit(new TextDecoder().decode(bytes));
  }

  async #requireOneState(): Promise<void> {
    const installed = await this.#installedState();
    if (installed === null || installed === this.folder.path) return;
    throw new UserError(
      `Cannot install services with the state in ${this.folder.path}: those of this machine have theirs in ${installed}`,
      `Leave --state and HEDDLE_STATE out, or say ${installed}; a second mesh on one machine stays in the foreground: --foreground`,
    );
  }

  /** A user of that name that heddle did not make is somebody. */
  async #requireUser(): Promise<void> {
    const { files } = this.runtime;
    const exists = (await userId(files, serviceUser)) !== null;
    if (!exists || (await files.stat(tmpfiles)) !== null) return;
    throw new UserError(
      `Cannot install services: there is a user ${serviceUser} on this machine that heddle did not make`,
      "Rename or remove it; or stay in the foreground: --foreground",
    );
  }
}

const packaged = "/usr/bin/heddle";
const copied = "/usr/local/bin/heddle";
const lowPortsEnd = 1024;
/** Units see other folders there than people do, or none. */
const hidden = ["/home/", "/root/", "/run/", "/tmp/", "/var/tmp/", "/dev/", "/proc/", "/sys/"];

function requireVisible({ path }: StateFolder): void {
  const place = hidden.find((each) => `${path}/`.startsWith(each));
  if (place === undefined) return;
  throw new UserError(
    `Cannot install services with the state in ${path}: they do not see what is below ${place}`,
    "Choose another folder with --state DIR, such as /srv/heddle; or stay in the foreground: --foreground",
  );
}
