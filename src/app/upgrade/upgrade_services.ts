/**
 * `heddle upgrade FILE`: the services of this machine go on as another program, one after the other, without an end to what is open. The
 * program lies beside the one in place until all of them run it; where one cannot, those before it go back to the one in place.
 */
import type { Runtime } from "../../../runtime/contract.ts";
import { printable } from "../../base/printable.ts";
import { UserError } from "../../base/user_error.ts";
import { limits } from "../../model/limits.ts";
import type { Manager } from "../../systemd/manager.ts";
import { tryCommand } from "../../systemd/commands.ts";
import { folderOf, previousProgram, stagedProgram } from "../../systemd/installation.ts";
import { interceptUnit } from "../../systemd/intercept_units.ts";
import { isManaged } from "../../systemd/unit_state.ts";
import { unitName, type ServiceMode } from "../../systemd/units.ts";
import type { StateFolder } from "../state_folder.ts";
import { checkProgram } from "./check_program.ts";
import { answerPath, readAnswer, requestPath, type UpgradeAnswer, type UpgradeRequest } from "./request.ts";

export interface UpgradeOptions {
  readonly runtime: Runtime;
  readonly folder: StateFolder;
  readonly manager: Manager;
  /** What the units run. */
  readonly program: string;
  /** In the order in which they go on. */
  readonly modes: readonly ServiceMode[];
  /** How long what is open in a process that another one took over from may go on, milliseconds. */
  readonly drainMs: number;
  /** See `UpgradeRequest`. */
  readonly cutAfterMs: number | null;
  readonly said: (text: string) => void;
}

const executable = 0o755;

export class UpgradeServices {
  constructor(readonly options: UpgradeOptions) {}

  /** Throws why it was not done; what runs then is what ran before. */
  async upgrade(path: string): Promise<void> {
    const { runtime, program, said } = this.options;
    const next = stagedProgram(program);
    try {
      await this.#stage(path, next);
      const version = await checkProgram(runtime, this.options.folder, next, path);
      said(`${path} is heddle ${version}`);
      await this.#all(next);
      await this.#place(next);
      await this.#loadRules();
    } finally {
      await runtime.files.remove(folderOf(next));
    }
  }

  /** Beside the one in place, where units can run it: nobody but its owner can change it from now on. */
  async #stage(path: string, next: string): Promise<void> {
    const { files } = this.options.runtime;
    const bytes = await files.read(path);
    if (bytes === null) throw new UserError(`Cannot upgrade to ${path}: there is no such file`);
    await files.makeFolder(folderOf(next), executable);
    await files.writeAtomic(next, bytes, executable);
  }

  async #all(next: string): Promise<void> {
    const { modes, program, said } = this.options;
    for (const mode of modes) await this.#one(mode, null);
    const done: ServiceMode[] = [];
    for (const mode of modes) {
      try {
        if (await this.#one(mode, next)) done.push(mode);
      } catch (error) {
        for (const before of done.reverse()) {
          said(`${unitName(before)}: going back`);
          await this.#one(before, program).catch((again: Error) => said(again.message));
        }
        throw error;
      }
    }
  }

  /** false: it does not run. `program` null: nothing is done, and this throws what would keep it from its end. */
  async #one(mode: ServiceMode, program: string | null): Promise<boolean> {
    const { runtime, manager, said } = this.options;
    const unit = unitName(mode);
    if (!(await isManaged(runtime.process, manager, unit))) {
      if (program !== null) said(`${unit} does not run`);
      return false;
    }
    await this.#requireHandover(unit);
    const { problem, main } = await this.#asked(mode, program);
    if (problem !== null)
      throw new UserError(
        `Cannot upgrade ${unit}: ${printable(problem)}`,
        `Nothing was changed; its log says more: ${[...manager.journal, unit].join(" ")}`,
      );
    if (program !== null) said(`${unit} goes on as process ${main}`);
    return true;
  }

  /** A version that does not know the signal would be ended by it. */
  async #requireHandover(unit: string): Promise<void> {
    const { runtime, manager } = this.options;
    const shown = [...manager.systemctl, "show", "--property=MainPID", "--value", unit];
    const pid = Number((await tryCommand(runtime.process, shown)).output.trim());
    const bytes = pid > 0 ? await runtime.files.read(`/proc/${pid}/status`) : null;
    const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(new TextDecoder().decode(bytes ?? new Uint8Array()))?.[1];
    if (caught !== undefined && (BigInt(`0x${caught}`) & signalBit) !== 0n) return;
    throw new UserError(
      `Cannot upgrade ${unit}: what runs there is of a version that hands nothing over, or still starts`,
      "Install the new version as the first one was installed (heddle init, heddle join, or its package), which starts the services again",
    );
  }

  async #asked(mode: ServiceMode, program: string | null): Promise<UpgradeAnswer> {
    const { runtime, folder, manager, drainMs, cutAfterMs } = this.options;
    const { files, process, clock, random } = runtime;
    const id = random.bytes(12).toHex();
    const request: UpgradeRequest = { id, program, back: this.options.program, drainMs, cutAfterMs };
    const path = requestPath(folder, mode);
    await files.writeAtomic(path, JSON.stringify(request), 0o644);
    try {
      const unit = unitName(mode);
      const signal = [...manager.systemctl, "kill", "--signal=SIGUSR2", "--kill-who=main", unit];
      const { code, output } = await tryCommand(process, signal);
      if (code !== 0) throw new UserError(`Cannot ask ${unit} to hand over: ${output.trim()}`);
      const untilMs = clock.now() + limits.upgradeAnswerMs + (cutAfterMs ?? 0);
      while (clock.now() < untilMs) {
        const answer = readAnswer(files, answerPath(folder, mode));
        if (answer?.id === id) return answer;
        await new Promise<void>((done) => void clock.after(limits.upgradeLookMs, done));
      }
      throw new UserError(
        `Cannot upgrade ${unit}: it did not say what came of it within ${(limits.upgradeAnswerMs + (cutAfterMs ?? 0)) / 1000} s`,
        `Its log says more: ${[...manager.journal, unit].join(" ")}`,
      );
    } finally {
      await files.remove(path);
    }
  }

  /** From now on it is what starts; the one before is kept for whoever wants to go back. */
  async #place(next: string): Promise<void> {
    const { runtime, program } = this.options;
    const { files } = runtime;
    const before = await files.read(program);
    if (before !== null) await files.writeAtomic(previousProgram(program), before, executable);
    await files.move(next, program);
  }

  /** Another version may listen elsewhere for what the rules of interception redirect: those of the one in place lead there. */
  async #loadRules(): Promise<void> {
    const { runtime, manager, said } = this.options;
    if (!(await isManaged(runtime.process, manager, interceptUnit))) return;
    const reload = [...manager.systemctl, "reload", interceptUnit];
    const { code, output } = await tryCommand(runtime.process, reload);
    said(
      code === 0
        ? `${interceptUnit} loaded its rules again`
        : `${interceptUnit} could not load the rules of this version: ${printable(output.trim())}; what intercepted units call may be refused until ${reload.join(" ")} succeeds`,
    );
  }
}

/** SIGUSR2 in the mask of caught signals (proc_pid_status(5)). */
const signalBit = 1n << 11n;
