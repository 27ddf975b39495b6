/**
 * A mode that another process takes over from, on request. What serves beside its successor goes on until that serves; what cannot
 * (it has a store that one process alone may write) ends first, while those who connect wait, and where the successor fails the program
 * that is in place serves again. The service manager is told of the new process before this one drains and ends.
 */
import type { Runtime } from "../../../runtime/contract.ts";
import { problemOf } from "../../base/result.ts";
import { UserError } from "../../base/user_error.ts";
import { limits } from "../../model/limits.ts";
import type { Notifier } from "../../systemd/notify.ts";
import type { Mode } from "../settings.ts";
import type { StateFolder } from "../state_folder.ts";
import { Generations } from "./generations.ts";
import { answerPath, readRequest, requestPath, requireRightful, type UpgradeRequest } from "./request.ts";
import { Successor } from "./successor.ts";

/** What a mode must be able to do for it. */
export interface Ceding {
  /** It serves on until its successor does; else it ends before that begins. */
  readonly beside: boolean;
  /** Descriptors of all its sockets. */
  sockets(): readonly number[];
  /** Takes nothing new, lets what is under way finish, ends it at the deadline; its sockets stay until the process ends. */
  cede(deadlineMs: number): Promise<void>;
}

export interface HandoverOptions {
  readonly runtime: Runtime;
  readonly folder: StateFolder;
  readonly mode: Mode;
  readonly ceding: Ceding;
  readonly notifier: Pick<Notifier, "tell" | "listens">;
  /** Of generations before this one. */
  readonly draining: readonly number[];
  /** It is the service no more: from now on its manager hears nothing of it. */
  readonly ceded: () => void;
  readonly said: (text: string) => void;
}

export class Handover {
  readonly #generations: Generations;
  #busy = false;

  constructor(readonly options: HandoverOptions) {
    this.#generations = new Generations(options.runtime, options.draining);
  }

  /** What lies in the state folder is asked for. Never throws. */
  async ask(): Promise<void> {
    const { runtime, folder, mode, said } = this.options;
    const request = readRequest(runtime.files, requestPath(folder, mode));
    if (request === null) return said("SIGUSR2: nothing asks for an upgrade");
    if (this.#busy) return;
    this.#busy = true;
    try {
      this.#requireManager();
      const [own = ""] = runtime.process.self;
      await requireRightful(runtime.files, own, requestPath(folder, mode), request);
      const { program } = request;
      if (program === null) return await this.#look(request);
      await this.#generations.makeRoom(request.cutAfterMs);
      said(`upgrade: starting ${program}`);
      const successor = await this.#successor(request, program);
      await this.#answer(request, null, successor.pid);
      await this.#leave(request);
    } catch (error) {
      said(`upgrade: ${problemOf(error)}; this process goes on`);
      await this.#answer(request, problemOf(error), runtime.process.pid);
      this.#busy = false;
    }
  }

  #requireManager(): void {
    if (!this.options.notifier.listens) throw new UserError("no service manager runs this process");
  }

  /** Whether another program could take over now. */
  async #look(request: UpgradeRequest): Promise<void> {
    if (request.cutAfterMs === null) await this.#generations.makeRoom(null);
    this.#busy = false;
    await this.#answer(request, null, this.options.runtime.process.pid);
  }

  /** Serves, and is the service. Throws why there is none; this process serves then. */
  async #successor(request: UpgradeRequest, program: string): Promise<Successor> {
    const { ceding } = this.options;
    const successor = await this.#start(program);
    try {
      if (!ceding.beside) await ceding.cede(limits.controlDrainMs);
      await successor.begin(this.#generations.with(this.options.runtime.process.pid));
    } catch (error) {
      successor.giveUp();
      if (ceding.beside) throw error;
      return await this.#back(request, error);
    }
    this.#makeMain(successor);
    return successor;
  }

  async #start(program: string): Promise<Successor> {
    const { runtime, ceding, said } = this.options;
    const successor = new Successor(runtime, program, () => {
      said("upgrade: the process that took over has ended, and so does this one");
      runtime.process.exit(1);
    });
    try {
      await successor.prepare(ceding.sockets());
      return successor;
    } catch (error) {
      successor.giveUp();
      throw error;
    }
  }

  /** This process has ended all but itself: the program that is in place serves again. */
  async #back(request: UpgradeRequest, error: unknown): Promise<never> {
    const { runtime, said } = this.options;
    const reason = problemOf(error);
    said(`upgrade: ${reason}; starting ${request.back} again`);
    let main = runtime.process.pid;
    try {
      const successor = await this.#start(request.back);
      await successor.begin(this.#generations.with(main));
      this.#makeMain(successor);
      main = successor.pid;
    } catch (again) {
      said(`upgrade: ${problemOf(again)}; the service manager starts it again`);
    }
    await this.#answer(request, reason, main);
    return runtime.process.exit(main === runtime.process.pid ? 1 : 0);
  }

  #makeMain(successor: Successor): void {
    const { notifier, ceded, said } = this.options;
    ceded();
    notifier.tell(`MAINPID=${successor.pid}`, "WATCHDOG=1");
    successor.main();
    said(`upgrade: process ${successor.pid} (${successor.version}) has taken over`);
  }

  async #leave({ drainMs }: UpgradeRequest): Promise<never> {
    const { ceding, runtime, said } = this.options;
    if (ceding.beside) await ceding.cede(drainMs);
    said("upgrade: all that was open here is over");
    return runtime.process.exit(0);
  }

  async #answer({ id }: UpgradeRequest, problem: string | null, main: number): Promise<void> {
    const { runtime, folder, mode, said } = this.options;
    await runtime.files
      .writeAtomic(answerPath(folder, mode), JSON.stringify({ id, problem, main }), 0o600)
      .catch((error: Error) => said(`upgrade: cannot tell what came of it: ${error.message}`));
  }
}
