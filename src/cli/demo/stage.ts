/**
 * The processes of the demo: starts them from this same binary, gathers what they print, and ends every one of them,
 * whatever happens. Nothing here knows the story.
 */
import type { Child, Clock, ProcessHost } from "../../../runtime/contract.ts";
import { UserError } from "../../base/user_error.ts";

export interface Actor {
  readonly name: string;
  readonly pid: number;
  readonly output: string[];
  alive: boolean;
  kill(signal: "SIGTERM" | "SIGKILL"): void;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
}

export class Stage {
  readonly #actors: Actor[] = [];

  constructor(
    readonly host: ProcessHost,
    readonly clock: Clock,
    readonly onLine: (actor: string, line: string) => void,
  ) {}

  /** Starts this binary with the arguments; it stays until killed. */
  start(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Actor {
    const output: string[] = [];
    let rest = "";
    let finish: () => void = () => {};
    const ended = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const child: Child = this.host.spawn({
      command: [...this.host.self, ...args],
      env: { PATH: this.host.env["PATH"] ?? "", HOME: this.host.home, NO_COLOR: "1", ...env },
      output: (text) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          if (output.length < 2000) output.push(line);
          this.onLine(name, line);
        }
      },
      exited: () => {
        actor.alive = false;
        finish();
      },
    });
    const actor: Actor = {
      name,
      pid: child.pid,
      output,
      alive: true,
      kill: (signal) => child.kill(signal),
      ended,
    };
    this.#actors.push(actor);
    return actor;
  }

  /** Runs this binary to its end; returns what it printed, or throws with it. */
  async run(args: readonly string[], timeoutMs = 15_000): Promise<string> {
    return new Promise((resolve, reject) => {
      let printed = "";
      let complaint = "";
      const child = this.host.spawn({
        command: [...this.host.self, ...args],
        env: { PATH: this.host.env["PATH"] ?? "", HOME: this.host.home, NO_COLOR: "1" },
        output: (text, stream) => {
          if (stream === "stdout") printed += text;
          else complaint += text;
        },
        exited: (code) => {
          timer.cancel();
          if (code === 0) resolve(printed);
          else reject(new UserError(`\`heddle ${args.join(" ")}\` failed: ${(complaint || printed).trim()}`));
        },
      });
      const timer = this.clock.after(timeoutMs, () => child.kill("SIGKILL"));
    });
  }

  /** Waits until the condition holds, or throws with what was waited for and what the processes said last. */
  async until(what: string, timeoutMs: number, holds: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = this.clock.now() + timeoutMs;
    for (;;) {
      if (await holds()) return;
      const dead = this.#actors.find((actor) => !actor.alive && !this.#expected.has(actor.name));
      if (dead !== undefined) {
        throw new UserError(
          `${dead.name} ended while waiting for ${what}: ${dead.output.slice(-5).join(" | ")}`,
        );
      }
      if (this.clock.now() > deadline)
        throw new UserError(`Waited ${timeoutMs / 1000} s for ${what} in vain`);
      await this.pause(50);
    }
  }

  readonly #expected = new Set<string>();

  /** Ends an actor as part of the story. */
  async end(actor: Actor, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    this.#expected.add(actor.name);
    actor.kill(signal);
    await Promise.race([actor.ended, this.pause(5_000)]);
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.clock.after(ms, resolve));
  }

  /** Ends everything, newest first. */
  async close(): Promise<void> {
    const alive = this.#actors.filter((actor) => actor.alive).reverse();
    for (const actor of alive) actor.kill("SIGTERM");
    const gone = Promise.all(alive.map((actor) => actor.ended));
    await Promise.race([gone, this.pause(3_000)]);
    for (const actor of alive) if (actor.alive) actor.kill("SIGKILL");
  }
}
