/** A program that a test talks to line by line: its input stays open, what it says is waited for. */
import { plainEnvironment, waitFor } from "./processes.ts";

export class Dialogue {
  /** All that it said so far, on both streams. */
  said = "";
  readonly #child;

  constructor(
    readonly command: readonly string[],
    env: Readonly<Record<string, string>> = plainEnvironment(),
  ) {
    this.#child = Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "pipe", env });
    void this.#gather(this.#child.stdout);
    void this.#gather(this.#child.stderr);
  }

  say(text: string): void {
    this.#child.stdin.write(text);
    void this.#child.stdin.flush();
  }

  async hears(text: string, limitMs = 10_000): Promise<void> {
    const heard = (): true | null => (this.said.includes(text) ? true : null);
    try {
      await waitFor(`${this.command[0]} says "${text}"`, heard, { limitMs });
    } catch (error) {
      throw new Error(`${(error as Error).message}; it said: ${this.said}`);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** No more input; resolves when it has ended. */
  async end(): Promise<void> {
    await this.#child.stdin.end();
    await this.#child.exited;
  }

  /** Ends it, whatever it is doing. */
  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  async #gather(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.said += decoder.decode(chunk, { stream: true });
  }
}
