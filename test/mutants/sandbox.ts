/** A copy of the repository in which one mutant after the other lives, and its tests run. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bun, root } from "../../compile/repository.ts";
import { mutated, type Mutant } from "./mutant.ts";

const copied = ["src", "runtime", "policies", "compile", "test", "package.json", "tsconfig.json"];
/** A test that never ends has seen something. */
const timeoutMs = 120_000;

export interface SuiteRun {
  readonly passed: boolean;
  readonly ms: number;
  /** The end of what it printed. */
  readonly output: string;
}

export class Sandbox {
  readonly #folder = mkdtempSync(join(tmpdir(), "heddle-mutants-"));

  constructor() {
    for (const name of copied) cpSync(join(root, name), join(this.#folder, name), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(this.#folder, "node_modules"));
    mkdirSync(join(this.#folder, "dist"));
  }

  /** Whether the suites pass with the fault in the sources; null: as they are. */
  async run(mutant: Mutant | null, suites: readonly string[]): Promise<SuiteRun> {
    if (mutant === null) return await this.#test(suites);
    const path = join(this.#folder, mutant.file);
    const source = readFileSync(path, "utf8");
    const text = mutated(mutant, source);
    // What cannot be read at all would be seen by everybody.
    new Bun.Transpiler({ loader: "ts" }).transformSync(text);
    writeFileSync(path, text);
    try {
      return await this.#test(suites);
    } finally {
      writeFileSync(path, source);
    }
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #test(suites: readonly string[]): Promise<SuiteRun> {
    const started = performance.now();
    return new Promise((resolve) => {
      const args = ["test", "--bail", "--timeout=20000", ...suites.map((suite) => `./${suite}`)];
      const child = spawn(bun, args, {
        cwd: this.#folder,
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
      });
      let output = "";
      const hear = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-4_000));
      child.stdout.on("data", hear);
      child.stderr.on("data", hear);
      const end = (): void => {
        try {
          process.kill(-(child.pid as number), "SIGKILL");
        } catch {
          // It is gone already.
        }
      };
      const timer = setTimeout(end, timeoutMs);
      child.on("close", (code) => {
        clearTimeout(timer);
        resolve({ passed: code === 0, ms: performance.now() - started, output });
      });
    });
  }
}
