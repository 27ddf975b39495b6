/** One process of a test mesh: started, killed, started again; under supervision it comes back by itself, as systemd would bring it. */
import { existsSync, readFileSync } from "node:fs";
import { startProgram, waitFor, type Program } from "./processes.ts";
import { hangMs } from "./patience.ts";

export interface MeshProcessOptions {
  readonly name: string;
  readonly command: readonly string[];
  /** All its lives write here. */
  readonly log: string;
  readonly ready: () => Promise<boolean>;
  readonly core?: number;
  /** Beside what every process of a mesh has in its environment. */
  readonly env?: Readonly<Record<string, string>>;
}

export class MeshProcess {
  #program: Program | null = null;
  #restartMs: number | null = null;
  /** When it was started last. */
  startedMs = Number.NaN;

  constructor(readonly options: MeshProcessOptions) {}

  get name(): string {
    return this.options.name;
  }

  /** Of the process that runs now; -1 when none does. */
  get pid(): number {
    return this.#program === null || this.#program.ended !== null ? -1 : this.#program.pid;
  }

  output(): string {
    return existsSync(this.options.log) ? readFileSync(this.options.log, "utf8") : "";
  }

  /** Starts it and waits until it is ready. */
  async start(): Promise<void> {
    await this.#wait(this.#launch());
  }

  /** Waits until it is ready, whoever starts it. */
  async untilReady(): Promise<void> {
    await this.#wait(null);
  }

  /** From now on it is started again that long after it ended, until `stop`. */
  supervise(restartMs: number): void {
    this.#restartMs = restartMs;
  }

  /** kill -9; resolves when it is gone. */
  async kill(): Promise<void> {
    const program = this.#program;
    program?.kill("SIGKILL");
    await program?.exited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#program?.kill(signal);
  }

  /** Asks it to end, for good. */
  async stop(): Promise<void> {
    this.#restartMs = null;
    await this.#program?.stop();
  }

  async #wait(program: Program | null): Promise<void> {
    const ready = async () => ((await this.options.ready()) ? true : null);
    const limit = { limitMs: hangMs };
    await waitFor(`${this.name} is ready`, ready, program === null ? limit : { ...limit, program });
  }

  #launch(): Program {
    const { name, command, log, core } = this.options;
    const env = {
      PATH: process.env["PATH"] ?? "/usr/bin:/bin",
      HOME: "/nonexistent",
      NO_COLOR: "1",
      HEDDLE_FAULTS: "end",
      ...this.options.env,
    };
    const program = startProgram({ name, command, log, env, ...(core === undefined ? {} : { core }) });
    this.#program = program;
    this.startedMs = performance.now();
    void program.exited.then(() => {
      if (this.#restartMs !== null) setTimeout(() => this.#again(), this.#restartMs);
    });
    return program;
  }

  #again(): void {
    if (this.#restartMs !== null) this.#launch();
  }
}
