/**
 * The services that the controller is told this machine uses: those that its Machine document names, those that its apps
 * have called and that exist, and names that its apps call and nobody has confirmed. The second are kept on disk.
 */
import type { Clock, Files } from "../../runtime/contract.ts";
import { controllerPaths } from "../api/messages.ts";
import type { UsesAnswer } from "../api/snapshot_messages.ts";
import { OneAtATime } from "../base/one_at_a_time.ts";
import type { ControlClient } from "../api/control.ts";
import { readJson } from "../identity/credential_store.ts";
import { limits } from "../model/limits.ts";

export interface WantedServicesOptions {
  readonly files: Pick<Files, "read" | "writeAtomic">;
  readonly clock: Clock;
  /** Where the confirmed ones are kept. */
  readonly path: string;
  readonly control: Pick<ControlClient, "call">;
  /** Keys that the Machine document names. */
  readonly declared: () => readonly string[];
  /** Names that apps call and no snapshot has. */
  readonly unconfirmed: () => readonly string[];
  /** Names of which the controller says that no service has them. */
  readonly missing: (keys: readonly string[]) => void;
  readonly log: (text: string) => void;
}

export class WantedServices {
  #confirmed = new Set<string>();
  /** Why the controller could not be asked; null while it could. */
  #problem: string | null = null;
  readonly #asking = new OneAtATime(() => this.#ask());
  readonly #saving = new OneAtATime(() => this.#save());

  constructor(readonly options: WantedServicesOptions) {}

  /** From disk, whoever wrote it: what does not exist leaves with the first snapshot. */
  async load(): Promise<void> {
    const { files, path } = this.options;
    const kept = await readJson<unknown>(files, path).catch(() => null);
    const keys = Array.isArray(kept) ? kept.filter((key) => typeof key === "string") : [];
    this.#confirmed = new Set(keys.slice(0, limits.documentsMax));
  }

  /** Everything, in the order of its worth. */
  list(): string[] {
    const { declared, unconfirmed } = this.options;
    return [...new Set([...declared(), ...this.#confirmed, ...unconfirmed()])].slice(0, limits.usesMax);
  }

  /** It was called and it exists. */
  confirm(key: string): void {
    if (this.#confirmed.has(key)) return;
    this.#confirmed.add(key);
    this.#saving.ask();
  }

  /** A snapshot is in force: what it does not have does not exist. */
  keep(exists: (key: string) => boolean): void {
    const kept = [...this.#confirmed].filter(exists);
    if (kept.length === this.#confirmed.size) return;
    this.#confirmed = new Set(kept);
    this.#saving.ask();
  }

  /** Something is wanted that was not before. However much comes, the controller is asked only so often. */
  ask(): void {
    this.#asking.ask();
  }

  async #ask(): Promise<void> {
    const { control, missing, clock } = this.options;
    try {
      const answer = (await control.call("PUT", controllerPaths.uses, this.list()))
        .body as Partial<UsesAnswer>;
      missing(answer.missing ?? []);
      this.#problem = null;
    } catch (error) {
      this.#cannotAsk((error as Error).message);
    }
    await new Promise<void>((resolve) => clock.after(limits.askEveryMs, resolve, true));
  }

  #cannotAsk(problem: string): void {
    if (problem !== this.#problem) this.options.log(`cannot ask for services now: ${problem}`);
    this.#problem = problem;
  }

  async #save(): Promise<void> {
    const { files, path, log } = this.options;
    await files
      .writeAtomic(path, JSON.stringify([...this.#confirmed]), 0o600)
      .catch((error: Error) => log(`cannot save what is used: ${error.message}`));
  }
}
