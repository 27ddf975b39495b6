/** A terminal of a given size with one program in it, by tmux: what a person would see, and keys that a person would press. */
import { plainEnvironment, waitFor } from "./processes.ts";

export const tmuxMissing = Bun.which("tmux") === null;

export interface TmuxOptions {
  readonly command: readonly string[];
  readonly columns: number;
  readonly rows: number;
  readonly env?: Readonly<Record<string, string>>;
}

export class Tmux {
  static #count = 0;
  readonly #socket = `heddle-${process.pid}-${Tmux.#count++}`;

  constructor({ command, columns, rows, env = {} }: TmuxOptions) {
    const size = ["-x", String(columns), "-y", String(rows)];
    const given = Object.entries(env).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
    this.#run("-f", "/dev/null", "new-session", "-d", ...size, ...given, ...command);
  }

  /** Lines of the screen, without the blanks at their ends. */
  lines(): string[] {
    return this.#run("capture-pane", "-p").replace(/\n$/, "").split("\n");
  }

  /** Names of tmux (`Enter`, `PageDown`), or text. */
  press(...keys: readonly string[]): void {
    this.#run("send-keys", ...keys);
  }

  resize(columns: number, rows: number): void {
    this.#run("resize-window", "-x", String(columns), "-y", String(rows));
  }

  /** Until the screen is such. */
  async shows(what: string, wanted: (lines: readonly string[]) => boolean): Promise<readonly string[]> {
    let lines: readonly string[] = [];
    const look = async (): Promise<readonly string[] | null> =>
      wanted((lines = this.lines())) ? lines : null;
    return await waitFor(`the screen shows ${what}`, look, { everyMs: 50 }).catch((error: Error) => {
      throw new Error(`${error.message}\n${lines.join("\n")}`);
    });
  }

  /** The process in it. */
  get pid(): number {
    return Number(this.#run("display-message", "-p", "#{pane_pid}").trim());
  }

  /** Whether the program ended, and the terminal with it. */
  get over(): boolean {
    return Bun.spawnSync(["tmux", "-L", this.#socket, "has-session"]).exitCode !== 0;
  }

  close(): void {
    Bun.spawnSync(["tmux", "-L", this.#socket, "kill-server"]);
  }

  #run(...args: readonly string[]): string {
    const env = plainEnvironment({ TERM: "xterm-256color", LANG: "C.UTF-8" });
    const { exitCode, stdout, stderr } = Bun.spawnSync(["tmux", "-u", "-L", this.#socket, ...args], { env });
    if (exitCode !== 0) throw new Error(`tmux ${args[0] ?? ""} failed: ${stderr.toString()}`);
    return stdout.toString();
  }
}
