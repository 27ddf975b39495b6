/** A machine in memory: files and commands as plans see them. Every change is counted, and the machine can fail at any of them. */
import type { Files, ProcessHost, SpawnOptions } from "../../runtime/contract.ts";

interface Entry {
  readonly bytes: Uint8Array;
  readonly mode: number;
}

export class MemoryMachine {
  readonly entries = new Map<string, Entry>();
  /** Commands as they were run. */
  readonly commands: string[] = [];
  /** Changes until the power fails, in the middle of one: it is not done. */
  changesLeft = Infinity;
  /** What a command ends with, or prints, by its first word; 0 without one. */
  readonly effects = new Map<string, (command: readonly string[]) => number | string>();

  constructor(texts: Readonly<Record<string, string>> = {}) {
    for (const [path, text] of Object.entries(texts)) this.#put(path, text, 0o644);
  }

  #put(path: string, bytes: Uint8Array | string, mode: number): void {
    this.entries.set(path, {
      bytes: typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes,
      mode,
    });
  }

  text(path: string): string | null {
    const entry = this.entries.get(path);
    return entry === undefined ? null : new TextDecoder().decode(entry.bytes);
  }

  /** All files with modes and texts. */
  get state(): Readonly<Record<string, string>> {
    const paths = [...this.entries.keys()].sort();
    return Object.fromEntries(
      paths.map((path) => [path, `${this.entries.get(path)?.mode.toString(8)} ${this.text(path)}`]),
    );
  }

  #change(): void {
    if (this.changesLeft-- <= 0) throw new PowerFailure("the power failed");
  }

  readonly files = {
    read: async (path: string) => this.entries.get(path)?.bytes ?? null,
    stat: async (path: string) => {
      const entry = this.entries.get(path);
      if (entry !== undefined)
        return {
          size: entry.bytes.length,
          modifiedMs: 0,
          folder: false,
          mode: entry.mode,
          owner: 0,
          inode: 0,
        };
      const isFolder = [...this.entries.keys()].some((each) => each.startsWith(`${path}/`));
      return isFolder ? { size: 0, modifiedMs: 0, folder: true, mode: 0o755, owner: 0, inode: 0 } : null;
    },
    list: async (path: string) => {
      const below = [...this.entries.keys()].filter((each) => each.startsWith(`${path}/`));
      return [...new Set(below.map((each) => each.slice(path.length + 1).split("/")[0] ?? ""))].sort();
    },
    makeFolder: async () => {},
    writeAtomic: async (path: string, bytes: Uint8Array | string, mode = 0o644) => {
      this.#change();
      this.#put(path, bytes, mode);
    },
    move: async (from: string, to: string) => {
      this.#change();
      const entry = this.entries.get(from);
      if (entry === undefined) throw new Error(`Cannot move ${from}: it is not there`);
      this.entries.delete(from);
      this.entries.set(to, entry);
    },
    remove: async (path: string) => {
      this.entries.delete(path.replace(/[^/]*$/, (name) => `.new.${name}`));
      if ((await this.files.stat(path)) === null) return;
      this.#change();
      for (const each of [...this.entries.keys()])
        if (each === path || each.startsWith(`${path}/`)) this.entries.delete(each);
    },
  } as unknown as Files;

  readonly process = {
    pid: 1,
    env: {},
    spawn: ({ command, output, exited }: SpawnOptions) => {
      this.#change();
      this.commands.push(command.join(" "));
      const answer = this.effects.get(command[0] ?? "")?.(command) ?? 0;
      if (typeof output === "function" && typeof answer === "string") output(answer, "stdout");
      exited(typeof answer === "string" ? 0 : answer, null);
      return null;
    },
  } as unknown as Pick<ProcessHost, "spawn" | "env" | "pid">;
}

export class PowerFailure extends Error {}
