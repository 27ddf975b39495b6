/** Processes that keep a machine busy. They end by themselves in any case. */
import { spawn, type ChildProcess } from "node:child_process";

const loop = "const end = Date.now() + 60000; while (Date.now() < end);";

export class BusyMachine {
  readonly #children: ChildProcess[] = [];

  start(processes: number): void {
    for (let each = 0; each < processes; each++) {
      this.#children.push(spawn(process.execPath, ["-e", loop], { stdio: "ignore" }));
    }
  }

  stop(): void {
    for (const child of this.#children.splice(0)) child.kill("SIGKILL");
  }
}
